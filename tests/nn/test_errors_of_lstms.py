"""An LSTM's pair of states, and its projections: the answer is torch's, word for word."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import elman.nn
from tests.nn.cases import outcome

ones = torch.ones
h = ones(2, 2, 4)
PAIRS: dict[str, Any] = {
    "one tensor": h,
    "a tensor of two": torch.stack([h, h]),
    "a list": [h, h],
    "one in a tuple": (h,),
    "three": (h, h, h),
    "none": (),
    "None and a tensor": (None, h),
    "a tensor and None": (h, None),
    "None twice": (None, None),
    "c_0 of another size": (h, ones(2, 2, 5)),
    "c_0 of another batch": (h, ones(2, 3, 4)),
    "c_0 of 2 dimensions": (h, ones(2, 4)),
    "h_0 of another size": (ones(2, 2, 5), h),
    "c_0 of float64": (h, h.double()),
    "c_0 of integers": (h, h.long()),
    "a string": "hx",
    "a dict": {"h": h, "c": h},
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_pair_of_states_gone_wrong_is_answered_as_by_torch(pair: Any, packed: bool) -> None:
    input = pack_padded_sequence(ones(5, 2, 3), [5, 2]) if packed else ones(5, 2, 3)

    def call(nn: ModuleType) -> Any:
        return nn.LSTM(3, 4, 2)(input, pair)

    assert outcome(call, elman.nn) == outcome(call, torch.nn)
    if packed:
        return
    of_cell = tuple(x[0] if isinstance(x, torch.Tensor) else x for x in pair) if isinstance(pair, tuple) else pair

    def call_cell(nn: ModuleType) -> Any:
        return nn.LSTMCell(3, 4)(ones(2, 3), of_cell)

    assert outcome(call_cell, elman.nn) == outcome(call_cell, torch.nn)


@pytest.mark.parametrize("hx", [None, (ones(2, 2, 2), ones(2, 2, 4)), (ones(2, 2, 4), ones(2, 2, 4))])
def test_an_lstm_with_projections_answers_as_torchs(hx: Any) -> None:
    def call(nn: ModuleType) -> Any:
        output, (h_n, c_n) = nn.LSTM(3, 4, 2, proj_size=2)(ones(5, 2, 3), hx)
        return output, h_n, c_n

    assert outcome(call, elman.nn)[0] == outcome(call, torch.nn)[0]  # PyTorch warns once in a process
