"""PyTorch's two counters of floating-point operations find in our layers what they find in its own."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

import elman.nn

# with the operations of a forward pass
CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...], int]] = [
    ("RNN", (32, 64), {}, (50, 8, 32), 2 * 400 * (32 + 64) * 64),
    ("RNN", (32, 64), {"num_layers": 2, "bidirectional": True, "batch_first": True}, (8, 50, 32), 29491200),
    ("RNN", (32, 64), {"bias": False}, (50, 32), 2 * 50 * (32 + 64) * 64),
    ("RNNCell", (32, 64), {}, (8, 32), 2 * 8 * (32 + 64) * 64),
    ("GRU", (32, 64), {"bidirectional": True}, (50, 8, 32), 2 * 2 * 400 * (32 + 64) * 3 * 64),
    ("LSTM", (32, 64), {"dtype": torch.float64}, (50, 8, 32), 2 * 400 * (32 + 64) * 4 * 64),  # oneDNN's tells nothing
    ("GRUCell", (32, 64), {}, (8, 32), 2 * 8 * (32 + 64) * 3 * 64),
    ("LSTMCell", (32, 64), {}, (8, 32), 2 * 8 * (32 + 64) * 4 * 64),
    ("Linear", (32, 64), {}, (8, 32), 2 * 8 * 32 * 64),
]


def products(nn: ModuleType, case: Any, trains: bool) -> int:
    kind, args, kwargs, shape, _ = case
    layer = getattr(nn, kind)(*args, **kwargs).requires_grad_(trains)
    x = torch.zeros(shape, requires_grad=trains, dtype=kwargs.get("dtype"))
    with profile(with_flops=True) as profiled:
        output = layer(x)
        output = output[0] if isinstance(output, tuple) else output
        if trains:
            output.sum().backward()
    return sum(event.flops for event in profiled.events() if event.name in ("aten::mm", "aten::addmm"))


@pytest.mark.filterwarnings("ignore:.*Profiler clears events:UserWarning")  # PyTorch 2.10 says so once
@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2]}")
def test_the_profiler_counts_the_operations_of_our_products(case: Any, trains: bool) -> None:
    ours = products(elman.nn, case, trains)
    assert ours == case[-1] * (3 if trains else 1)
    # PyTorch leaves out the products with an initial state that is zero, and some of inference's
    assert 0.75 * ours < products(nn, case, trains) <= ours


def test_nothing_is_told_when_nothing_is_profiled_and_numbers_stay_the_same() -> None:
    layer, x = elman.nn.RNN(3, 4), torch.ones(5, 2, 3)
    plain = layer(x)[0]
    with profile(with_flops=True):
        assert torch.equal(layer(x)[0], plain)


def test_the_flop_counter_mode_finds_the_same() -> None:
    found = []
    for lib in (elman.nn, nn):
        layer = lib.RNN(32, 64)
        with FlopCounterMode(display=False) as counter:
            layer(torch.zeros(50, 8, 32))[0].sum().backward()
        found.append(counter.get_total_flops())
    assert found[0] == found[1] > 0
