"""Cells of one's own in the C++ program of examples/cpp: files of version 4."""

import json

import numpy as np
import pytest

import elman
from elman._safetensors import tensor_bytes
from elman.cells import GRU, Cell, IndRNN, LayerNormLSTM, Program, RateLeaky, VoltageLeaky, tanh
from elman.runtime._own import family_of_program
from elman.runtime._parameters import Sizes
from tests.engine.test_cpp_example import program, refusal, run  # noqa: F401
from tests.engine.test_cpp_example import pytestmark as pytestmark


class Gain(Cell):
    """Without a weight_hh, and with a name that is not ASCII."""

    def step(self, a, β):
        return tanh(a.input) * β


CELLS = [GRU(), RateLeaky(0.2), VoltageLeaky(0.1), IndRNN(), LayerNormLSTM(), Gain(β=elman.cells.learned(1.0))]


def parameters(of_cell, widths=(5, 5, 17), learned=False):
    draw = np.random.default_rng(0)
    shapes = Sizes(3, widths, False, True, family_of_program(of_cell), learned).shapes()
    return {name: draw.normal(0, 0.5, shape).astype("float32") for name, shape in shapes.items()}


@pytest.mark.parametrize("added", [False, True], ids=["plain", "learned states, residual"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: type(cell).__name__)
def test_a_cell_of_ones_own_steps_to_pythons_bits(program, tmp_path, cell, added):  # noqa: F811
    path, of_cell = tmp_path / "own.safetensors", cell.program
    network = elman.runtime.Recurrent(parameters(of_cell, learned=added), of_cell, residual=added)
    elman.save(network, path)
    steps = np.random.default_rng(1).normal(size=(20, 3)).astype("float32")
    series = "\n".join(" ".join(map(repr, row)) for row in steps.tolist())
    printed = run(program, path, "-", stdin=series.encode()).stdout.decode()
    assert np.array_equal(np.array([line.split() for line in printed.splitlines()], "float32"), network(steps)[0])


ELMAN = {"gates": ["a"], "states": ["h"], "inputs": {}, "nodes": [["gate", "a"], ["tanh", 0]], "results": [1]}


def written(data, metadata=None):
    said = {"format": "elman rnn", "version": "4", "batch_first": "false", "residual": "false"}
    text = data if isinstance(data, str) else json.dumps(data)
    return tensor_bytes(parameters(Program.from_data(ELMAN)), said | {"program": text} | (metadata or {}))


def test_a_program_is_read_however_it_is_spaced(program, tmp_path):  # noqa: F811
    printed = []
    for data in (ELMAN, json.dumps(ELMAN, indent=1).replace("\n", " "), ELMAN | {"fed_back": 0}):
        (tmp_path / "own").write_bytes(written(data))
        printed.append(run(program, tmp_path / "own", "-", stdin=b"1 2 3\n").stdout)
    assert printed[0] == printed[1] == printed[2] != b""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "program, byte 0: expected {, got its end"),
        ("{}", "program, byte 1: expected \", got '}'"),
        ({"states": ["h"]}, "program: expected gates, got 'states'"),
        (ELMAN | {"gates": []}, "program: expected 1 to 256 gates, got 0"),
        (ELMAN | {"gates": ["a"] * 257}, "program: expected 1 to 256 gates, got 257"),
        (ELMAN | {"gates": ["a", *"bcdefghi"]}, "weight_ih_l0: expected the shape (9 * hidden_size, input_size)"),
        (ELMAN | {"states": []}, "program: expected 1 to 256 states, got 0"),
        (ELMAN | {"inputs": {"noise": "step"}}, "program: expected inputs by unit alone"),
        (ELMAN | {"inputs": {f"x{n}": "unit" for n in range(2000)}}, "program: expected 0 to 256 inputs, got 2000"),
        (ELMAN | {"inputs": {"leak": "unit"}}, "leak_l0: expected this tensor, it is missing"),
        (ELMAN | {"nodes": []}, "program, byte 74: expected the place of a node that came before this, got ']'"),
        (ELMAN | {"nodes": [["gate", "a"]] * 257}, "program: expected 1 to 256 nodes, got 257"),
        (ELMAN | {"nodes": [["gate", "b"]]}, "program: expected a name that it has, got 'b'"),
        (ELMAN | {"nodes": [["sin", 0]]}, "program: expected an operation that there is, got 'sin'"),
        (
            ELMAN | {"nodes": [["gate", "a"], ["tanh", 1]]},
            "expected the place of a node that came before this, got ']'",
        ),
        (ELMAN | {"nodes": [["gate", "a"], ["add", 0]]}, "program, byte 82: expected ,, got ']'"),
        (ELMAN | {"nodes": [["number", "x"]]}, "program, byte 69: expected a number within float64, got '\"'"),
        (ELMAN | {"nodes": [["number", 1e300]]}, "program, byte 92: expected the place of a node that came"),
        (json.dumps(ELMAN).replace("tanh", "1e999"), "program: expected an operation that there is, got '1e999'"),
        (ELMAN | {"nodes": [["unit", "a"]]}, "program: expected a name that it has, got 'a'"),
        (ELMAN | {"results": [1, 1]}, "program: expected 1 results, got 2"),
        (ELMAN | {"results": [1] * 5000}, "program: expected 1 results, got 5000"),
        (ELMAN | {"fed_back": 1}, "program: expected a state to be fed back, got another value"),
        (ELMAN | {"fed_back": 2**63}, "program: expected a state to be fed back, got another value"),
        (ELMAN | {"more": 1}, "program: expected fed_back, got 'more'"),
        (json.dumps(ELMAN) + "x", "program, byte 102: expected the end, got 'x'"),
        ('{"\\u0041":', 'expected a string without control characters and escapes but \\"'),
    ],
)
def test_a_program_that_is_not_sound_is_refused(program, tmp_path, data, message):  # noqa: F811
    (tmp_path / "own").write_bytes(written(data))
    assert message in refusal(program, tmp_path / "own")


def test_a_program_cut_short_anywhere_is_refused(program, tmp_path):  # noqa: F811
    text = json.dumps(ELMAN)
    for size in range(0, len(text), 3):
        (tmp_path / "own").write_bytes(written(text[:size]))
        assert refusal(program, tmp_path / "own").startswith("program")
