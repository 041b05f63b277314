"""What the binding is handed and cannot use, it refuses with an exception of Python's."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

import elman.nn
from elman import _engine


class Own(Parameter):
    pass


def operands() -> tuple[list[Tensor], Tensor, Tensor]:
    """The weights, the input and the initial state of a layer."""
    return list(elman.nn.RNN(3, 5).parameters()), torch.randn(4, 2, 3), torch.randn(1, 2, 5)


NO_TENSORS = [
    None,
    3,
    "x",
    [1.0],
    object(),
    torch.zeros(2, 2).numpy(),
    torch.zeros(5, 5).to_sparse(),
    Own(torch.zeros(5)),
    Parameter(torch.zeros(5, 5, device="meta")),
]


@pytest.mark.parametrize("wrong", NO_TENSORS, ids=lambda x: type(x).__name__)
def test_the_binding_refuses_what_is_no_tensor(wrong: Any) -> None:
    (weights, input, _), f = operands(), _engine.Cell.tanh
    assert not _engine.is_plain(wrong)
    assert _engine.are_plain([input, wrong]) == (wrong is None)
    with pytest.raises((ValueError, TypeError)):
        _engine.copies([wrong])
    sizes = 1, 3, 5, 1, False, True
    assert not _engine.admits(wrong, None, None, weights, *sizes)
    assert wrong is None or not _engine.admits(input, wrong, None, weights, *sizes)
    assert wrong is None or not _engine.admits(input, None, wrong, weights, *sizes)
    assert not _engine.admits(input, None, None, [*weights[:3], wrong], *sizes)
    with pytest.raises((ValueError, TypeError)):
        _engine.forward(f, 1, 1, wrong, None, None, None, weights, 5, True)
    with pytest.raises((ValueError, TypeError)):
        _engine.forward(f, 1, 1, input, None, None, None, [wrong] * 4, 5, True)
    for rows in ((wrong, weights[0]), (input[0], wrong)):
        with pytest.raises((ValueError, TypeError)):
            _engine.linear(1, *rows, None)
        with pytest.raises((ValueError, TypeError)):
            _engine.linear_backward(1, torch.zeros(2, 5), *rows, 3, (True, True, True))
    if wrong is None:  # no state, and no packing
        return
    for arguments in ((wrong, None, None), (None, wrong, None), (None, None, wrong)):
        with pytest.raises((ValueError, TypeError)):
            _engine.forward(f, 1, 1, input, *arguments, weights, 5, True)


def test_the_binding_refuses_sizes_that_do_not_fit() -> None:
    (weights, input, state), f = operands(), _engine.Cell.tanh
    right = {"input": input, "h_0": state, "c_0": None, "batch_sizes": None, "weights": weights, "hidden_size": 5}
    right |= {"keeps": True}
    _engine.forward(f, 1, 1, **right)
    sizes = torch.tensor
    packed = {"input": input.reshape(8, 3), "batch_sizes": sizes([2, 2, 2, 2])}
    _engine.forward(f, 1, 1, **right | packed)
    for wrong in (
        {"input": input[..., :2]},
        {"input": input.double()},
        {"input": input[0, 0]},
        {"input": input[None]},
        {"h_0": state[:, :1]},
        {"h_0": state.double()},
        {"h_0": state[0]},
        {"c_0": state},
        {"weights": weights[:3]},
        {"weights": weights[:2] + weights[:2]},
        {"weights": weights * 2},
        {"weights": []},
        {"hidden_size": 4},
        {"hidden_size": 6},
        packed | {"batch_sizes": sizes([2, 2, 2])},
        packed | {"batch_sizes": sizes([2, 2, 2, 2, 2])},
        packed | {"batch_sizes": sizes([2, -2, 4, 4])},
        packed | {"batch_sizes": sizes([2.0, 2.0, 2.0, 2.0])},
        packed | {"batch_sizes": sizes([2, 2, 2, 2], dtype=torch.int32)},
        packed | {"batch_sizes": sizes([[2, 2, 2, 2]])},
        packed | {"batch_sizes": sizes([], dtype=torch.int64)},
    ):
        with pytest.raises(ValueError, match="expected"):
            _engine.forward(f, 1, 1, **right | wrong)
    for directions in (0, -1, 2, 3):
        with pytest.raises(ValueError, match="expected"):
            _engine.forward(f, 1, directions, **right)
    (output, _), kept = _engine.forward(f, 1, 1, **right)
    backward = {name: right[name] for name in ("input", "h_0", "c_0", "batch_sizes", "hidden_size")}
    backward |= {"matrices": weights[:2], "output": output, "kept": kept, "d_output": output, "d_h_n": state}
    backward |= {"d_c_n": None, "needed": (True, True, False, True, True, True, True)}
    found = _engine.backward(f, 1, 1, **backward)
    assert [gradient is not None for gradient in found] == list(backward["needed"])
    for wrong in (
        {"matrices": weights[:1]},
        {"matrices": weights},
        {"output": output[:3]},
        {"d_output": output[..., :4]},
        {"d_output": output.double()},
        {"d_h_n": state[:, :1]},
        {"d_c_n": state},
        {"c_0": state},
        {"output": None},
        {"needed": (True,) * 7},
        {"needed": (True,) * 6},
        {"needed": ()},
        {"hidden_size": 4},
    ):
        with pytest.raises(ValueError, match="expected"):
            _engine.backward(f, 1, 1, **backward | wrong)
