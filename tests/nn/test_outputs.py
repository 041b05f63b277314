"""What a program can see of, and do to, the tensors that come out: the same as with PyTorch's."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import elman.nn
from tests.nn.cases import outcome, states_of

LAYERS: list[dict[str, Any]] = [
    {},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 2, "batch_first": True, "bidirectional": True, "dropout": 0.5},
]
SHAPES = [(5, 3, 4), (5, 4), (5, 1, 4), (1, 3, 4)]
# RNN in every combination; the others, whose forward is the same, plain and with all options
CASES = [("RNN", kwargs, shape) for kwargs in LAYERS for shape in SHAPES]
CASES += [(kind, kwargs, shape) for kind in ("GRU", "LSTM") for kwargs in LAYERS[::3] for shape in SHAPES[:2]]
GRAD_MODES = [torch.enable_grad, torch.no_grad, torch.inference_mode]
DEEDS = {
    "detach_": lambda tensor: tensor.detach_(),
    "requires_grad_": lambda tensor: tensor.requires_grad_(False),
    "view": lambda tensor: tensor.view(-1),
    "unsqueeze_": lambda tensor: tensor.unsqueeze_(0),
    "resize_": lambda tensor: tensor.resize_(1000),
    "set_": lambda tensor: tensor.set_(torch.zeros(3)),
    "add_": lambda tensor: tensor.add_(1),
}


def results(nn: ModuleType, kind: str, kwargs: dict[str, Any], shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    dtype = torch.float64 if kind == "LSTM" else torch.float32  # oneDNN's may not be written to under autograd
    output, final = getattr(nn, kind)(4, 6, **kwargs, dtype=dtype)(torch.zeros(shape, dtype=dtype))
    return output, *states_of(final)


def look(tensor: Tensor) -> tuple[Any, ...]:
    layout = tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.untyped_storage().nbytes()
    return *layout, tensor._is_view(), tensor.is_leaf, tensor.requires_grad, tensor.is_inference()


@pytest.mark.parametrize("mode", GRAD_MODES)
@pytest.mark.parametrize(("kind", "kwargs", "shape"), CASES)
def test_outputs_are_laid_out_and_may_be_changed_as_pytorchs(
    kind: str, kwargs: dict[str, Any], shape: tuple[int, ...], mode: Any
) -> None:
    with mode():
        ours, theirs = (results(nn, kind, kwargs, shape) for nn in (elman.nn, torch.nn))
        assert [look(tensor) for tensor in ours] == [look(tensor) for tensor in theirs]
        assert ours[0].untyped_storage().data_ptr() != ours[1].untyped_storage().data_ptr()
        for deed in DEEDS.values():
            for index in range(len(ours)):

                def done(nn: ModuleType, index: int = index, deed: Any = deed) -> tuple[Any, ...]:
                    tensor = results(nn, kind, kwargs, shape)[index]
                    deed(tensor)
                    return look(tensor)

                assert outcome(done, elman.nn) == outcome(done, torch.nn)


def test_the_output_of_a_batch_first_layer_is_no_view_and_keeps_its_gradient_after_a_write() -> None:
    gradients = []
    for nn in (elman.nn, torch.nn):
        torch.manual_seed(0)
        layer = nn.RNN(4, 6, batch_first=True)
        output, _ = layer(torch.randn(3, 5, 4))
        assert not output._is_view()
        output.mul_(2).square().sum().backward()
        gradients.append(layer.weight_hh_l0.grad)
    torch.testing.assert_close(*gradients)
