"""PyTorch's own database of modules: its entries of recurrent layers and cells, inputs and error inputs, on ours."""

import re
import warnings
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import assert_same_numbers, data_of

OURS = {getattr(torch.nn, name): getattr(elman.nn, name) for name in RECURRENT}
layers = pytest.mark.parametrize("layer", OURS, ids=lambda layer: layer.__name__)
DTYPES = [torch.float32, torch.float64]


@pytest.fixture(scope="module")
def database() -> Any:
    """The module with the database, whose import takes longer than all of this file's tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal import common_modules
    return common_modules


def entry(database: Any, layer: type) -> Any:
    [info] = [info for info in database.module_db if info.module_cls is layer]
    return info


def leaf(x: Any) -> Any:
    if isinstance(x, PackedSequence):
        return x._replace(data=x.data.detach().clone().requires_grad_())
    return x.detach().clone().requires_grad_() if isinstance(x, torch.Tensor) else x


def tensors(x: Any) -> list[torch.Tensor]:
    """All of them, but what packing is made of."""
    if isinstance(x, PackedSequence | torch.Tensor):
        return [data_of(x)]
    return [] if x is None else [tensor for each in x for tensor in tensors(each)]


def results(module: torch.nn.Module, sample: Any) -> dict[str, torch.Tensor]:
    args = [tuple(map(leaf, x)) if type(x) is tuple else leaf(x) for x in sample.forward_input.args]
    outputs = tensors(module(*args, **sample.forward_input.kwargs))
    wanted = tensors(args) + list(module.parameters())
    grads = torch.autograd.grad(sum(x.square().sum() for x in outputs), wanted)
    return {str(i): x for i, x in enumerate([*outputs, *grads])}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@layers
def test_its_inputs_give_the_results_and_gradients_of_torch(
    database: Any, layer: type, dtype: torch.dtype, training: bool
) -> None:
    info = entry(database, layer)
    samples = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
    if issubclass(info.module_cls, torch.nn.RNNBase):
        samples += info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=training, with_packed_sequence=True
        )
    assert len(samples) >= 2
    for sample in samples:
        args, kwargs = sample.constructor_input.args, sample.constructor_input.kwargs
        theirs = info.module_cls(*args, **kwargs).to(dtype).train(training)
        ours = OURS[info.module_cls](*args, **kwargs).to(dtype).train(training)
        ours.load_state_dict(theirs.state_dict())
        assert_same_numbers(results(ours, sample), results(theirs, sample))
        if sample.reference_fn is not None and not isinstance(sample.forward_input.args[0], PackedSequence):
            forward = sample.forward_input
            expected = sample.reference_fn(ours, *forward.args, **forward.kwargs)
            torch.testing.assert_close(ours(*forward.args, **forward.kwargs), expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@layers
def test_its_error_inputs_raise_what_it_expects(database: Any, layer: type, dtype: torch.dtype, training: bool) -> None:
    info = entry(database, layer)
    samples = info.module_error_inputs_func(info, device="cpu", dtype=dtype, requires_grad=False, training=training)
    for sample in samples:
        construction, forward = sample.module_error_input.constructor_input, sample.module_error_input.forward_input
        if sample.error_on is database.ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(sample.error_type, match=sample.error_regex):
                OURS[info.module_cls](*construction.args, **construction.kwargs)
            continue
        ours = OURS[info.module_cls](*construction.args, **construction.kwargs).train(training)
        if not re.search("dtype", sample.error_regex):
            ours = ours.to(dtype)
        with pytest.raises(sample.error_type, match=sample.error_regex):
            ours(*forward.args, **forward.kwargs)
