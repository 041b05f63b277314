"""Whatever a user gets wrong, the answer is torch's, word for word: error and text, warning, or result."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import outcome

Action = Callable[[ModuleType], Any]

CONSTRUCTIONS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "no arguments": ((), {}),
    "one argument": ((3,), {}),
    "too many arguments": ((3, 4, 1, "tanh", True, False, 0.0, False, None, None, None, None), {}),
    "an unknown argument": ((3, 4), {"hidden": 4}),
    "an argument twice": ((3, 4), {"input_size": 3}),
    "the nonlinearity twice": ((3, 4, 1, "tanh"), {"nonlinearity": "relu"}),
    "hidden_size 0": ((3, 0), {}),
    "hidden_size negative": ((3, -1), {}),
    "hidden_size a float": ((3, 4.0), {}),
    "hidden_size a string": ((3, "4"), {}),
    "hidden_size None": ((3, None), {}),
    "hidden_size a bool": ((3, True), {}),
    "input_size 0": ((0, 4), {}),
    "input_size negative": ((-3, 4), {}),
    "input_size a float": ((3.0, 4), {}),
    "num_layers 0": ((3, 4, 0), {}),
    "num_layers negative": ((3, 4, -2), {}),
    "num_layers a float": ((3, 4, 1.5), {}),
    "an unknown nonlinearity": ((3, 4), {"nonlinearity": "sigmoid"}),
    "an unknown positional nonlinearity": ((3, 4, 1, "gelu"), {}),
    "bias for the nonlinearity": ((3, 4, 1, True), {}),
    "bias an int": ((3, 4), {"bias": 1}),
    "batch_first an int": ((3, 4), {"batch_first": 1}),
    "bidirectional an int": ((3, 4), {"bidirectional": 1}),
    "dropout over 1": ((3, 4, 2), {"dropout": 1.5}),
    "dropout negative": ((3, 4, 2), {"dropout": -0.1}),
    "dropout a bool": ((3, 4, 2), {"dropout": True}),
    "dropout a string": ((3, 4, 2), {"dropout": "half"}),
    "dropout nan": ((3, 4, 2), {"dropout": float("nan")}),
    "dropout with one layer": ((3, 4), {"dropout": 0.5}),
    "proj_size": ((3, 4), {"proj_size": 2}),
    "proj_size 0": ((3, 4), {"proj_size": 0}),
    "proj_size by position": ((3, 4, 1, "tanh", True, False, 0.0, False, 2), {}),
    "a device by position": ((3, 4, 1, "tanh", True, False, 0.0, False, "cpu"), {}),
    "all by position": ((3, 4, 1, "tanh", True, False, 0.0, False, 0, "cpu", torch.float64), {}),
    "an unknown device": ((3, 4), {"device": "toaster"}),
    "an integer dtype": ((3, 4), {"dtype": torch.int64}),
    "a dtype by name": ((3, 4), {"dtype": "float32"}),
}


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("arguments", CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)
def test_a_construction_gone_wrong_is_answered_as_by_torch(arguments: Any, kind: str) -> None:
    args, kwargs = arguments

    def construct(nn: ModuleType) -> Any:
        return getattr(nn, kind)(*args, **kwargs)

    assert outcome(construct, elman.nn) == outcome(construct, torch.nn)


ones = torch.ones
INPUTS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "no input": lambda: (),
    "None": lambda: (None,),
    "a number": lambda: (3.0,),
    "a list": lambda: ([[[1.0, 2.0, 3.0]]],),
    "an array": lambda: (ones(5, 2, 3).numpy(),),
    "0 dimensions": lambda: (torch.tensor(1.0),),
    "1 dimension": lambda: (ones(3),),
    "4 dimensions": lambda: (ones(1, 5, 2, 3),),
    "5 dimensions": lambda: (ones(1, 1, 5, 2, 3),),
    "the wrong width": lambda: (ones(5, 2, 4),),
    "the wrong width, unbatched": lambda: (ones(5, 4),),
    "width 0": lambda: (ones(5, 2, 0),),
    "no steps": lambda: (ones(0, 2, 3),),
    "no steps, unbatched": lambda: (ones(0, 3),),
    "no rows": lambda: (ones(5, 0, 3),),
    "no steps and no rows": lambda: (ones(0, 0, 3),),
    "no rows and hx": lambda: (ones(5, 0, 3), ones(2, 0, 4)),
    "integers": lambda: (ones(5, 2, 3, dtype=torch.int64),),
    "bools": lambda: (ones(5, 2, 3, dtype=torch.bool),),
    "float64": lambda: (ones(5, 2, 3, dtype=torch.float64),),
    "float16": lambda: (ones(5, 2, 3, dtype=torch.float16),),
    "bfloat16": lambda: (ones(5, 2, 3, dtype=torch.bfloat16),),
    "complex": lambda: (ones(5, 2, 3, dtype=torch.complex64),),
    "sparse": lambda: (ones(5, 2, 3).to_sparse(),),
    "mkldnn": lambda: (ones(5, 2, 3).to_mkldnn(),),
    "meta": lambda: (ones(5, 2, 3, device="meta"),),
    "meta hx": lambda: (ones(5, 2, 3), ones(2, 2, 4, device="meta")),
    "hx None": lambda: (ones(5, 2, 3), None),
    "hx a list": lambda: (ones(5, 2, 3), [ones(2, 2, 4)]),
    "hx a tuple": lambda: (ones(5, 2, 3), (ones(2, 2, 4), ones(2, 2, 4))),
    "hx a number": lambda: (ones(5, 2, 3), 0),
    "hx of 0 dimensions": lambda: (ones(5, 2, 3), torch.tensor(1.0)),
    "hx of 1 dimension": lambda: (ones(5, 2, 3), ones(4)),
    "hx of 2 dimensions": lambda: (ones(5, 2, 3), ones(2, 4)),
    "hx of 4 dimensions": lambda: (ones(5, 2, 3), ones(1, 2, 2, 4)),
    "hx of 3 dimensions, unbatched": lambda: (ones(5, 3), ones(2, 1, 4)),
    "hx of 1 dimension, unbatched": lambda: (ones(5, 3), ones(4)),
    "hx of too few layers": lambda: (ones(5, 2, 3), ones(1, 2, 4)),
    "hx of too many layers": lambda: (ones(5, 2, 3), ones(3, 2, 4)),
    "hx of another batch": lambda: (ones(5, 2, 3), ones(2, 3, 4)),
    "hx of one row": lambda: (ones(5, 2, 3), ones(2, 1, 4)),
    "hx of another width": lambda: (ones(5, 2, 3), ones(2, 2, 5)),
    "hx of too few layers, unbatched": lambda: (ones(5, 3), ones(1, 4)),
    "hx of float64": lambda: (ones(5, 2, 3), ones(2, 2, 4, dtype=torch.float64)),
    "hx of float16": lambda: (ones(5, 2, 3), ones(2, 2, 4, dtype=torch.float16)),
    "hx of integers": lambda: (ones(5, 2, 3), ones(2, 2, 4, dtype=torch.int64)),
    "hx sparse": lambda: (ones(5, 2, 3), ones(2, 2, 4).to_sparse()),
    "three arguments": lambda: (ones(5, 2, 3), None, None),
    "a packed sequence of another width": lambda: (pack_padded_sequence(ones(5, 2, 4), [5, 2]),),
    "a packed sequence of 1 dimension": lambda: (pack_padded_sequence(ones(5, 2), [5, 2]),),
    "a packed sequence of 3 dimensions": lambda: (pack_padded_sequence(ones(5, 2, 3, 3), [5, 2]),),
    "a packed sequence of float64": lambda: (pack_padded_sequence(ones(5, 2, 3).double(), [5, 2]),),
    "a packed sequence, hx of 2 dimensions": lambda: (pack_padded_sequence(ones(5, 2, 3), [5, 2]), ones(2, 4)),
    "a packed sequence, hx of another batch": lambda: (pack_padded_sequence(ones(5, 2, 3), [5, 2]), ones(2, 3, 4)),
    "a packed sequence, hx of float64": lambda: (
        pack_padded_sequence(ones(5, 2, 3), [5, 2]),
        ones(2, 2, 4).double(),
    ),
    "an unsorted packed sequence, hx of another batch": lambda: (
        pack_padded_sequence(ones(5, 2, 3), [2, 5], enforce_sorted=False),
        ones(2, 1, 4),
    ),
}


def for_kind(kind: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """With a pair of states for an LSTM, in place of a tensor."""
    if kind.startswith("LSTM") and len(arguments) > 1 and isinstance(arguments[1], torch.Tensor):
        return arguments[0], (arguments[1], arguments[1]), *arguments[2:]
    return arguments


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("arguments", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_an_input_gone_wrong_is_answered_as_by_torch(
    kind: str, arguments: Callable[[], tuple[Any, ...]], training: bool, batch_first: bool
) -> None:
    def call(nn: ModuleType) -> Any:
        layer = getattr(nn, kind)(3, 4, 2, batch_first=batch_first)
        with torch.set_grad_enabled(training):
            return layer(*for_kind(kind, arguments()))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


CELL_INPUTS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "no input": lambda: (),
    "None": lambda: (None,),
    "a list": lambda: ([1.0, 2.0, 3.0],),
    "a packed sequence": lambda: (pack_padded_sequence(ones(5, 2, 3), [5, 2]),),
    "0 dimensions": lambda: (torch.tensor(1.0),),
    "3 dimensions": lambda: (ones(5, 2, 3),),
    "the wrong width": lambda: (ones(2, 4),),
    "the wrong width, unbatched": lambda: (ones(4),),
    "no rows": lambda: (ones(0, 3),),
    "no rows and hx": lambda: (ones(0, 3), ones(0, 4)),
    "float64": lambda: (ones(2, 3, dtype=torch.float64),),
    "float16": lambda: (ones(2, 3, dtype=torch.float16),),
    "integers": lambda: (ones(2, 3, dtype=torch.int64),),
    "meta": lambda: (ones(2, 3, device="meta"),),
    "sparse": lambda: (ones(2, 3).to_sparse(),),
    "hx a list": lambda: (ones(2, 3), [ones(2, 4)]),
    "hx a tuple": lambda: (ones(2, 3), (ones(2, 4),)),
    "hx of 0 dimensions": lambda: (ones(2, 3), torch.tensor(1.0)),
    "hx of 1 dimension": lambda: (ones(2, 3), ones(4)),
    "hx of 3 dimensions": lambda: (ones(2, 3), ones(1, 2, 4)),
    "hx of 2 dimensions, unbatched": lambda: (ones(3), ones(1, 4)),
    "hx of another batch": lambda: (ones(2, 3), ones(3, 4)),
    "hx of one row": lambda: (ones(2, 3), ones(1, 4)),
    "hx of another width": lambda: (ones(2, 3), ones(2, 5)),
    "hx of float64": lambda: (ones(2, 3), ones(2, 4, dtype=torch.float64)),
    "hx of integers": lambda: (ones(2, 3), ones(2, 4, dtype=torch.int64)),
    "hx meta": lambda: (ones(2, 3), ones(2, 4, device="meta")),
    "three arguments": lambda: (ones(2, 3), None, None),
}


CELLS_MADE: dict[str, tuple[str, dict[str, str]]] = {
    "tanh": ("RNNCell", {}),
    "relu": ("RNNCell", {"nonlinearity": "relu"}),
    "softsign": ("RNNCell", {"nonlinearity": "softsign"}),
    "gru": ("GRUCell", {}),
    "lstm": ("LSTMCell", {}),
}


@pytest.mark.parametrize("cell", CELLS_MADE)
@pytest.mark.parametrize("arguments", CELL_INPUTS.values(), ids=CELL_INPUTS)
def test_a_cells_input_gone_wrong_is_answered_as_by_torch(arguments: Callable[[], tuple[Any, ...]], cell: str) -> None:
    kind, options = CELLS_MADE[cell]

    def call(nn: ModuleType) -> Any:
        return getattr(nn, kind)(3, 4, **options)(*for_kind(kind, arguments()))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


def replaced(name: str, value: Any) -> Callable[[Any], None]:
    """Puts other numbers, of any shape and dtype, where a parameter's were."""
    return lambda layer: setattr(layer, name, torch.nn.Parameter(value, requires_grad=value.is_floating_point()))


SPOILT: dict[str, Callable[[Any], Any]] = {
    "weight_hh of float64": replaced("weight_hh_l0", ones(4, 4, dtype=torch.float64)),
    "weight_ih of float64": replaced("weight_ih_l0", ones(4, 3, dtype=torch.float64)),
    "bias of float64": replaced("bias_ih_l0", ones(4, dtype=torch.float64)),
    "weight_hh on meta": replaced("weight_hh_l0", ones(4, 4, device="meta")),
    "weight_hh too wide": replaced("weight_hh_l0", ones(4, 5)),
    "weight_hh too high": replaced("weight_hh_l0", ones(5, 4)),
    "weight_ih too high": replaced("weight_ih_l0", ones(7, 3)),
    "weight_ih too wide": replaced("weight_ih_l0", ones(4, 5)),
    "weight_ih flat": replaced("weight_ih_l0", ones(12)),
    "weight_ih empty": replaced("weight_ih_l0", ones(0)),
    "bias too short": replaced("bias_ih_l0", ones(3)),
    "bias too long": replaced("bias_hh_l0", ones(5)),
    "bias of one": replaced("bias_ih_l0", ones(1)),
    "bias a matrix": replaced("bias_hh_l0", ones(2, 4)),
    "bias None": lambda layer: setattr(layer, "bias_hh_l0", None),
    "weight a plain tensor": lambda layer: setattr(layer, "weight_hh_l0", ones(4, 4)),
    "weight a list": lambda layer: setattr(layer, "weight_hh_l0", [1.0]),
    "weight deleted": lambda layer: delattr(layer, "weight_hh_l0"),
    "all in float64": lambda layer: layer.double(),
    "all in bfloat16": lambda layer: layer.bfloat16(),
    "all on meta": lambda layer: layer.to("meta"),
    "hidden_size changed": lambda layer: setattr(layer, "hidden_size", 5),
    "input_size changed": lambda layer: setattr(layer, "input_size", 5),
    "mode changed": lambda layer: setattr(layer, "mode", "RNN_RELU"),
    "mode unknown": lambda layer: setattr(layer, "mode", "RNN_SIGMOID"),
    "nonlinearity changed": lambda layer: setattr(layer, "nonlinearity", "relu"),
    "batch_first changed": lambda layer: setattr(layer, "batch_first", True),
    "num_layers changed": lambda layer: setattr(layer, "num_layers", 2),
    "bidirectional changed": lambda layer: setattr(layer, "bidirectional", True),
    "bias changed": lambda layer: setattr(layer, "bias", False),
    "proj_size changed": lambda layer: setattr(layer, "proj_size", 2),
    "dropout too large": lambda layer: setattr(layer, "dropout", 3.0),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_a_layer_altered_after_construction_answers_as_torchs(kind: str, spoil: Callable[[Any], Any]) -> None:
    def call(nn: ModuleType) -> Any:
        layer = getattr(nn, kind)(3, 4)
        spoil(layer)
        return layer(ones(5, 2, 3))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


@pytest.mark.parametrize("proj_size", [0, 2])
def test_a_proj_size_that_slips_in_by_position_answers_as_in_torch(proj_size: int) -> None:
    def call(nn: ModuleType) -> Any:
        return nn.RNN(3, 4, 1, "tanh", True, False, 0.0, False, proj_size)(ones(5, 2, 3))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


@pytest.mark.parametrize(
    "spoil",
    [
        replaced("weight_hh", ones(4, 5)),
        replaced("weight_ih", ones(5, 3)),
        replaced("weight_hh", ones(4, 4, dtype=torch.float64)),
        replaced("bias_ih", ones(1)),
        replaced("bias_ih", ones(3)),
        lambda cell: setattr(cell, "bias_hh", None),
        lambda cell: setattr(cell, "hidden_size", 5),
        lambda cell: setattr(cell, "input_size", 5),
        lambda cell: setattr(cell, "nonlinearity", "relu"),
    ],
)
def test_a_cell_altered_after_construction_answers_as_torchs(spoil: Callable[[Any], Any]) -> None:
    def call(nn: ModuleType) -> Any:
        cell = nn.RNNCell(3, 4)
        spoil(cell)
        return cell(ones(2, 3))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


int64 = torch.tensor
HAND_MADE: dict[str, Callable[[], PackedSequence]] = {
    "float batch_sizes": lambda: PackedSequence(ones(3, 3), int64([2.0, 1.0])),
    "int32 batch_sizes": lambda: PackedSequence(ones(3, 3), int64([2, 1], dtype=torch.int32)),
    "batch_sizes of 2 dimensions": lambda: PackedSequence(ones(3, 3), int64([[2, 1]])),
    "batch_sizes on meta": lambda: PackedSequence(ones(3, 3), int64([2, 1], device="meta")),
    "batch_sizes a list": lambda: PackedSequence(ones(3, 3), [2, 1]),
    "no batch_sizes": lambda: PackedSequence(ones(3, 3), None),
    "indices out of range": lambda: PackedSequence(ones(3, 3), int64([2, 1]), int64([1, 0]), int64([0, 7])),
    "too few indices": lambda: PackedSequence(ones(3, 3), int64([2, 1]), int64([1]), int64([0])),
    "indices of float": lambda: PackedSequence(ones(3, 3), int64([2, 1]), int64([1.0, 0]), int64([1.0, 0])),
}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("packed", HAND_MADE.values(), ids=HAND_MADE)
def test_a_packed_sequence_made_by_hand_is_answered_as_by_torch(
    packed: Callable[[], PackedSequence], bidirectional: bool
) -> None:
    def call(nn: ModuleType) -> Any:
        return nn.RNN(3, 4, bidirectional=bidirectional)(packed())

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


@given(
    batch_sizes=st.lists(st.integers(-2, 5), max_size=5),
    total_rows=st.integers(0, 12),
    bidirectional=st.booleans(),
    needs_gradients=st.booleans(),
)
@example([2, 0, 1], 3, False, True)
@example([2, 1, 0], 3, True, True)
@example([1, 2, 3], 6, False, True)
@example([0, 0], 0, False, True)
@example([2**62, 2**62], 3, False, True)
@example([3, 2**62, 1 - 2**62], 4, False, False)
@settings(max_examples=150)
def test_any_batch_sizes_are_answered_as_by_torch(
    batch_sizes: list[int], total_rows: int, bidirectional: bool, needs_gradients: bool
) -> None:
    def call(nn: ModuleType) -> Any:
        layer = nn.RNN(3, 4, bidirectional=bidirectional)
        with torch.set_grad_enabled(needs_gradients):
            packed = PackedSequence(ones(total_rows, 3), torch.tensor(batch_sizes, dtype=torch.int64))
            return layer(packed, ones(1 + bidirectional, max(0, (batch_sizes or [0])[0]) % 9, 4))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


def test_batch_sizes_with_gaps_between_them_are_read_as_written() -> None:
    """torch reads past the gaps here, and answers from the wrong numbers."""
    layer = elman.nn.RNN(3, 4)
    data = torch.randn(3, 3)
    gaps = torch.tensor([2, 9, 1, 9])[::2]
    assert not gaps.is_contiguous()
    expected = layer(PackedSequence(data, torch.tensor([2, 1])))
    found = layer(PackedSequence(data, gaps))
    assert torch.equal(found[0].data, expected[0].data)
    assert torch.equal(found[1], expected[1])


def test_loading_a_state_dict_that_does_not_fit_is_answered_as_by_torch() -> None:
    def call(nn: ModuleType) -> Any:
        return nn.RNN(3, 4, 2).load_state_dict(nn.RNN(3, 5, bidirectional=True).state_dict())

    assert outcome(call, elman.nn) == outcome(call, torch.nn)


def test_loading_with_strict_off_names_what_is_missing_and_unexpected() -> None:
    def call(nn: ModuleType) -> Any:
        state = nn.RNN(3, 4, bidirectional=True).state_dict()
        return str(nn.RNN(3, 4, 2).load_state_dict(state, strict=False))

    assert outcome(call, elman.nn) == outcome(call, torch.nn)
