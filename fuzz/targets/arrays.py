"""What users pass to a network: arrays of any dtype, shape and layout. Accepted, they give what plain copies give."""

import functools
from typing import Any

import numpy as np

from elman.runtime import from_keras
from elman.runtime._network import Network
from elman.runtime._parameters import Sizes
from elman.runtime._rnn import GRU, LSTM, RNN, class_of, network_of
from fuzz.choices import Choices
from fuzz.layouts import DTYPES, OnlyDLPack, laid_out, plain, some_array, some_out, some_shape
from fuzz.rule import REFUSED, attempt

SIZES = [(2, (3,), False, True), (1, (1,), False, False), (3, (2, 2), True, True), (4, (20, 20), False, True)]
CELLS = ["tanh", "relu", "tanh", "relu", "gru", "lstm", "lstm", "gru"]  # of the sizes, twice
NAMES = ("weight_ih_l0", "weight_hh_l1", "weight_ih", "bias_hh_l0_reverse", "weight_ih_l1000", "x\ny", "x" * 2000, "")


@functools.cache
def network(number: int, dtype: str, batch_first: bool) -> Network:
    cell = CELLS[number]
    shapes = Sizes(*SIZES[number % len(SIZES)], class_of(cell).family).shapes()
    parameters = {n: np.sin(np.arange(1, np.prod(s) + 1) ** 2).reshape(s).astype(dtype) for n, s in shapes.items()}
    return network_of(cell, parameters, batch_first)


def run(data: bytes) -> None:
    choices = Choices(data)
    kind = choices.number(5)
    if kind == 0:
        make_network(choices)
        return
    if kind == 4:
        read_keras(choices)
        return
    dtype, number = choices.pick(("f4", "f8")), choices.number(len(CELLS))
    if kind == 1:
        run_whole(choices, network(number, dtype, choices.chance()))
    elif kind == 2:
        run_steps(choices, network(number, dtype, False))
    else:
        change_states(choices, network(number, dtype, False))


def make_network(choices: Choices) -> None:
    kind = choices.pick((RNN, GRU, LSTM)) if choices.chance(4) else RNN
    shapes = Sizes(*SIZES[choices.number(len(SIZES))], kind.family).shapes()
    given: dict[Any, Any] = {}
    for name, shape in shapes.items():
        given[name] = some_array(choices, some_shape(choices, shape)) if choices.chance(4) else np.ones(shape, "f")
    if choices.chance(4):
        given[choices.pick(NAMES)] = given.pop(choices.pick(list(given)))
    if choices.chance(16):
        given["weight_ih"] = np.zeros(shapes["weight_ih_l0"], "f")  # a cell's name for the layer's
    if choices.chance(16):
        given[choices.pick((None, 3, b"x", "x" * 2000, choices.text(40)))] = np.ones(3, "f")
    made = choices.pick((RNN, GRU, LSTM)) if choices.chance(16) else kind
    options: dict[str, Any] = {"batch_first": choices.pick((False, True, None, 1, "x" * 2000, np.True_))}
    if made is RNN and choices.chance(8):
        options["nonlinearity"] = choices.pick(("tanh", "relu", None, "x" * 2000, [], 3))
    rnn = attempt(made, given, **options)
    if rnn is not REFUSED:
        for name, array in rnn.parameters.items():
            cell = {f"{kind}_l0": kind for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
            source = given[name] if name in given else given[cell[name]]
            same(array, plain(source, rnn.dtype), name)
        rnn(np.ones((2, 2, rnn.input_size), rnn.dtype))


def read_keras(choices: Choices) -> None:
    layers: list[Any] = []
    gates = choices.pick((1, 3, 4))
    columns = 3 * gates
    for _ in range(choices.number(4)):
        bias = (2, columns) if gates == 3 and choices.chance() else (columns,)
        shapes = [(3, columns), (3, columns), bias][: 3 - choices.number(2)] * (1 + choices.number(2))
        layers.append([some_array(choices, some_shape(choices, shape)) for shape in shapes])
        if choices.chance(8):
            layers[-1] = some_array(choices, (3, 3))
    options = {"reset_after": choices.pick((True, False, None, 1, "x" * 2000))} if choices.chance(4) else {}
    rnn = attempt(from_keras, choices.pick(layers) if layers and choices.chance() else layers, **options)
    if rnn is not REFUSED:
        rnn(np.ones((2, 2, rnn.input_size), rnn.dtype))


def some_lengths(choices: Choices, batch: int, steps: int) -> Any:
    if not choices.chance(3):
        return None
    values = [choices.number(steps + 1) for _ in range(batch)]
    if choices.chance(8):
        values.append(choices.pick((0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**63))))
        values = values[1:]
    if choices.chance(4):
        return values
    return laid_out(
        choices,
        np.array(
            values,
            choices.pick(("i8", "i4", "u1", ">i8", "u8", "f4", "?", "O"))
            if max(values, default=0) < 128 and min(values, default=0) >= 0
            else None,
        ),
    )


def some_states(choices: Choices, rnn: Network, shape: tuple[int, ...]) -> Any:
    """An array, or as many as the cell has states, seldom one too few or too many."""
    count = len(rnn.family.states)
    if choices.chance(16):
        count = choices.pick((0, 1, 2, 3))
    arrays = tuple(some_array(choices, some_shape(choices, shape), (rnn.dtype.str, *DTYPES)) for _ in range(count))
    return arrays[0] if count == 1 else list(arrays) if choices.chance(4) else arrays


def plain_states(rnn: Network, states: Any) -> Any:
    if len(rnn.family.states) == 1:
        return plain(states, rnn.dtype)
    return tuple(plain(state, rnn.dtype) for state in states)


def run_whole(choices: Choices, rnn: Network) -> None:
    steps, batch = 1 + choices.number(5), choices.number(5)
    leading: tuple[int, ...] = (batch, steps) if rnn.batch_first else (steps, batch)
    directions = 1 + rnn.bidirectional
    batched = not choices.chance(6)
    state = (rnn.num_layers * directions, *((batch,) if batched else ()), rnn.hidden_size)
    if not batched:
        leading = (steps,)
    x = some_array(choices, some_shape(choices, (*leading, rnn.input_size)), (rnn.dtype.str, *DTYPES))
    h_0 = some_states(choices, rnn, state) if choices.chance() else None
    lengths = some_lengths(choices, batch, steps)
    out = some_out(
        choices,
        (*leading, directions * rnn.hidden_size),
        rnn.dtype,
        x,
        h_0[0] if isinstance(h_0, tuple) and h_0 else h_0,
    )
    expected = attempt(_whole_of_plain, rnn, x, h_0, lengths)
    untouched = _outside(out)
    results = attempt(rnn, x, h_0, lengths, out)
    if results is REFUSED:
        return
    assert expected is not REFUSED, "accepted, though its plain copy is refused"
    assert out is None or results[0] is out
    same(results[0], expected[0], "output")
    same_states(results[1], expected[1], "h_n")
    assert _outside(out) == untouched, "written outside of out"


def _whole_of_plain(rnn: Network, x: Any, h_0: Any, lengths: Any) -> Any:
    try:
        copies = plain(x, rnn.dtype), None if h_0 is None else plain_states(rnn, h_0)
        counts = None if lengths is None else np.array(plain(lengths, np.dtype("O")).tolist(), "i8")
    except Exception:  # no array: to be refused
        return REFUSED
    return rnn(*copies, counts)


def _outside(out: Any) -> bytes:
    """What lies in the memory of a view's base and not in the view."""
    base = getattr(out, "base", None)
    if not isinstance(base, np.ndarray) or base.dtype != out.dtype or out.dtype.kind != "f" or not out.size:
        return b""
    while isinstance(base.base, np.ndarray) and base.base.dtype == out.dtype:
        base = base.base
    low, high = np.lib.array_utils.byte_bounds(out)
    start, end = np.lib.array_utils.byte_bounds(base)
    if not base.flags.c_contiguous or low < start or high > end:
        return b""
    raw = base.reshape(-1).view(np.uint8)
    return raw[: low - start].tobytes() + raw[high - start :].tobytes()


def run_steps(choices: Choices, rnn: Network) -> None:
    batch = choices.pick((1, 2, 3, 0, -1, 2**31, 1.0, "x" * 2000, None, True, np.int8(2), 10**4400))
    stream, twin = attempt(rnn.stream, batch), attempt(rnn.stream, batch)
    if stream is REFUSED:
        return
    for _ in range(3):
        one = stream.batch == 1 and choices.chance()
        leading = () if one else (stream.batch,)
        x = some_array(choices, some_shape(choices, (*leading, rnn.input_size)), (rnn.dtype.str, *DTYPES))
        out = some_out(choices, (*leading, rnn.hidden_size), rnn.dtype, x)
        before = stream.state
        expected = attempt(_step_of_plain, twin, x)
        untouched = _outside(out)
        result = attempt(stream.step, x, out)
        if result is REFUSED:
            same_states(stream.state, before, "state after a refusal")
            twin.state = before
            continue
        assert expected is not REFUSED, "accepted, though its plain copy is refused"
        assert out is None or result is out
        same(result, expected, "step")
        same_states(stream.state, twin.state, "state")
        assert _outside(out) == untouched, "written outside of out"


def _step_of_plain(stream: Any, x: Any) -> Any:
    try:
        copy = plain(x, stream.rnn.dtype)
    except Exception:  # no array: to be refused
        return REFUSED
    return stream.step(copy)


ROWS = (
    0,
    1,
    2,
    3,
    -1,
    -3,
    -4,
    2**31,
    2**63,
    2**64 - 1,
    2**70,
    True,
    1.0,
    None,
    "x",
    "x" * 2000,
    [0],
    (),
    np.uint64(2**64 - 1),
)


def change_states(choices: Choices, rnn: Network) -> None:
    stream = attempt(rnn.stream, 3)
    if stream is REFUSED:
        return
    state = some_states(choices, rnn, (rnn.num_layers, 3, rnn.hidden_size))
    before = stream.state
    if attempt(setattr, stream, "state", state) is REFUSED:
        same_states(stream.state, before, "state after a refusal")
    else:
        same_states(stream.state, plain_states(rnn, state), "state")
    before = tuple(map(np.ones_like, before)) if isinstance(before, tuple) else np.ones_like(before)
    stream.state = before
    rows: Any = [choices.pick(ROWS[: choices.pick((3, 6, len(ROWS)))]) for _ in range(choices.number(4))]
    kind = choices.number(4)
    if kind == 1:
        try:
            rows = laid_out(choices, np.array(rows))
        except (ValueError, OverflowError):
            return
    elif kind == 2:
        rows = some_array(choices, choices.pick(((3,), (3, rnn.hidden_size), (), (0,), (2, 1))), ("i8", "?", *DTYPES))
    elif kind == 3:
        rows = choices.pick(ROWS)
    if attempt(stream.reset, rows) is REFUSED:
        same_states(stream.state, before, "state after a refusal")
        return
    expected = [state.copy() for state in (before if isinstance(before, tuple) else (before,))]
    if rows is None:
        for state in expected:
            state[...] = 0
    else:
        chosen = np.from_dlpack(rows._array) if isinstance(rows, OnlyDLPack) else np.asarray(rows)
        assert chosen.ndim == 1, "rows of other dimensions"
        places = np.flatnonzero(chosen).tolist() if chosen.dtype == bool else chosen.tolist()
        for state in expected:
            for place in places:
                state[:, place] = 0
    same_states(stream.state, tuple(expected) if len(expected) > 1 else expected[0], "state")


def same_states(result: Any, expected: Any, what: str) -> None:
    if not isinstance(expected, tuple):
        return same(result, expected, what)
    assert isinstance(result, tuple), f"{what}: {type(result)}, and of plain copies a tuple"
    for one, other in zip(result, expected, strict=True):
        same(one, other, what)
    return None


def same(result: Any, expected: Any, what: str) -> None:
    assert result.shape == expected.shape, f"{what}: {result.shape}, and of plain copies {expected.shape}"
    assert np.array_equal(result, expected, equal_nan=True), f"{what}: {result!r}, and of plain copies {expected!r}"


def seeds() -> dict[str, bytes]:
    layouts = {
        f"layout_{kind}": bytes([1, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, kind, 0]) + bytes(range(8)) for kind in range(14)
    }
    return {
        **layouts,
        "network": bytes([0, 0]),
        "network_of_two_directions": bytes([0, 2, 1, 0, 0, 0, 0, 3, 0, 1, 2]),
        "whole_batch_first": bytes([1, 1, 2, 1, 3, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 2, 1, 0]),
        "steps": bytes([2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4]),
        "steps_of_float64": bytes([2, 1, 3, 2, 0, 0, 0, 0, 2, 1, 2, 0, 0, 3, 0]),
        "whole_of_gru": bytes([1, 0, 4, 0, 2, 2, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
        "steps_of_lstm": bytes([2, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4]),
        "states_of_lstm": bytes([3, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]),
        "keras_of_gru": bytes([4, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        "keras": bytes([4, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        "states": bytes([3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]),
        "states_by_mask": bytes([3, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1]),
    }
