"""Single safetensors files: raw bytes, headers with a fitting length and data before them, or edits of sound files."""

import functools
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman._safetensors import tensor_bytes
from elman.cells import LayerNormGRU, VoltageLeaky, learned
from elman.runtime._network import Network
from elman.runtime._own import Recurrent, family_of_program
from elman.runtime._parameters import Sizes
from elman.runtime._rnn import GRU, LSTM, RNN, class_of
from fuzz.choices import Choices
from fuzz.edits import edit_tensors
from fuzz.rule import REFUSED, attempt

VERSION_1 = {"format": "elman rnn", "version": "1", "nonlinearity": "relu", "batch_first": "false"}
PROGRAMS = {"layer norm": LayerNormGRU().program, "leaky": VoltageLeaky(learned(0.1)).program}
PROGRAMS["fed back"] = replace(PROGRAMS["leaky"], fed_back=1)
# the first arguments of Sizes, and learned; dtype; cell; residual, where the file says so
NETWORKS: list[tuple[Any, ...]] = [
    ((2, (3,), False, True), False, "f4", None, None),
    ((1, (1,), False, False), False, "f8", "tanh", None),
    ((3, (2, 2), True, True), False, "f8", "relu", None),
    ((2, (3,), False, True), False, "f4", "gru", None),
    ((2, (3, 3), False, True), False, "f4", "lstm", None),
    ((3, (1,), True, False), False, "f8", "lstm", None),
    ((2, (3, 1, 1), False, True), True, "f4", "tanh", "true"),
    ((2, (2, 3), True, False), True, "f8", "lstm", "false"),
    ((2, (3,), False, True), False, "f4", "leaky", "false"),
    ((2, (3, 2), True, True), True, "f8", "layer norm", "true"),
    ((2, (3,), False, True), False, "f4", "fed back", "false"),
]


@functools.cache
def sound(number: int) -> bytes:
    sizes, learned, dtype, cell, residual = NETWORKS[number]
    program = PROGRAMS.get(cell)
    family = family_of_program(program) if program else class_of(cell or "relu").family
    shapes = Sizes(*sizes, family, learned).shapes()
    tensors = {name: np.sin(np.arange(1, np.prod(s) + 1) ** 2).reshape(s).astype(dtype) for name, s in shapes.items()}
    said = {"format": "elman rnn", "version": "2", "cell": cell, "batch_first": "false"}
    if residual:
        said |= {"version": "3", "residual": residual}
    if program:
        del said["cell"]
        said |= {"version": "4", "program": json.dumps(program.to_data())}
    return tensor_bytes(tensors, said if cell else VERSION_1)


def content(data: bytes) -> bytes:
    """The file that bytes stand for."""
    kind, rest = data[:1], data[1:]
    if kind == b"H":  # a header up to the first line's end, and as many bytes of data as the rest makes
        header, _, body = rest.partition(b"\n")
        return len(header).to_bytes(8, "little") + header + body
    if kind == b"E":
        choices = Choices(rest)
        file = sound(choices.number(len(NETWORKS)))
        while choices:
            file = edit_tensors(file, choices)
        return file
    return data


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-tensors-")


def run(data: bytes) -> None:
    path = Path(place().name, "rnn.safetensors")
    path.write_bytes(content(data))
    loads = ((elman.load, ()), (RNN.load, ("relu", True)), (GRU.load, (True,)), (LSTM.load, (True,)))
    loads += ((Recurrent.load, ()),)
    for load, options in loads:
        network = attempt(load, path, *options)
        if network is not REFUSED:
            use(network)


def use(rnn: Network) -> None:
    """Run whole, alone and step by step."""
    if rnn.input_size * max(rnn.states_form.widths) > 10**5:
        return
    x = np.cos(np.arange(6 * rnn.input_size, dtype=rnn.dtype)).reshape(2, 3, rnn.input_size)
    output, h_n = rnn(x)
    assert (
        not np.isnan(output).any()
        or hasattr(rnn, "program")  # which may divide by zero
        or not all(np.isfinite(array).all() for array in rnn.parameters.values())
        or (max(abs(array).max() for array in rnn.parameters.values()) > 1e6)
    ), "NaN of finite weights"
    alone, final = rnn(x[:, :1] if not rnn.batch_first else x[:1])
    pairs = [(alone, output[:, :1] if not rnn.batch_first else output[:1])]
    pairs += [(ours, of_all[:, :1]) for ours, of_all in zip(each(final), each(h_n), strict=True)]
    for result, expected in pairs:
        assert np.array_equal(result, expected, equal_nan=True), "other bits alone"
    stream = attempt(rnn.stream, 3 if not rnn.batch_first else 2)
    assert (stream is REFUSED) == rnn.bidirectional
    if stream is not REFUSED:
        by_step = output.swapaxes(0, 1) if rnn.batch_first else output
        for x_t, expected in zip(x.swapaxes(0, 1) if rnn.batch_first else x, by_step, strict=True):
            assert np.array_equal(stream.step(x_t), expected, equal_nan=True), "other bits step by step"


def each(states: Any) -> list[Any]:
    """The arrays that states are made of."""
    return [array for state in states for array in each(state)] if isinstance(states, tuple) else [states]


def seeds() -> dict[str, bytes]:
    one = sound(0)
    length = int.from_bytes(one[:8], "little")
    claims = {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}}
    return {
        "raw": one,
        "raw_float64": sound(1),
        "raw_two_directions": sound(2),
        "raw_gru": sound(3),
        "raw_lstm": sound(4),
        "raw_lstm_of_two_directions": sound(5),
        "raw_residual": sound(6),
        "raw_learned_of_two_widths": sound(7),
        "raw_program": sound(8),
        "raw_program_of_two_directions": sound(9),
        "raw_program_fed_back": sound(10),
        "header": b"H" + one[8 : 8 + length] + b"\n" + one[8 + length :],
        "header_claims": b"H" + json.dumps(claims).encode() + b"\n",
        "edit": b"E\0\0\0\0\0\0\0",
        "edit_of_second": b"E\1\1\2\2\1\3\4",
        "edit_of_third": b"E\2\0\1\1\1\1\1\2\3\4\5",
        "edit_of_gru": b"E\3\0\0\0\0\0\0\0",
        "edit_of_lstm": b"E\4\1\2\2\1\3\4",
        "edit_of_residual": b"E\6\1\2\2\1\3\4",
        "edit_of_two_widths": b"E\7\0\1\1\1\1\1\2\3\4\5",
        "edit_of_program": b"E\10\0\1\1\1\1\1\2\3\4\5",
    }
