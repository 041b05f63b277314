"""Programs as data, which strangers may have written."""

import re
from typing import Any

import pytest

from elman import InputError, cells
from elman.cells import Program

DATA: dict[str, Any] = {
    "gates": ["a"],
    "states": ["h"],
    "inputs": {"p": "unit", "q": "unit"},
    "nodes": [["gate", "a"], ["unit", "p"], ["unit", "q"], ["subtract", 1, 2], ["add", 0, 3], ["number", 0.0]],
    "results": [4],
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"nodes": [["number", 10**400]], "results": [0]},
            "nodes[0]: expected a number that fits into float64, got ['number', 1000",
        ),
        ({"nodes": [["number", True]], "results": [0]}, "nodes[0]: expected an operation that there is"),
        ({"nodes": [["add", 0, 0]], "results": [0]}, "nodes[0]: expected 2 places of nodes before it"),
        ({"nodes": [["gate", ["a"]]], "results": [0]}, "nodes[0]: expected an operation that there is"),
        ({"nodes": [["gate", "a"]] * 257}, "nodes: expected a list of 1 to 256"),
        ({"results": [6]}, "results: expected the place of a node for each state, got [6]"),
        ({"inputs": {"p": []}}, "inputs: expected kinds by name"),
        ({"inputs": {1: "unit"}}, "inputs: expected a list of names"),
        ({"gates": "a"}, "gates: expected a list of names, got 'a'"),
        ({"states": ["a"]}, "program: expected names that are given once"),
        ({"fed_back": 1}, "results: expected the place of a node for each state, got [4]"),
        ({"fed_back": 2, "results": [4, 4, 4]}, "fed_back: expected one of 1 states, or behind them, got 2"),
        ({"fed_back": True, "results": [4, 4]}, "fed_back: expected one of 1 states, or behind them, got True"),
        ({"fed_back": -1}, "fed_back: expected one of 1 states, or behind them, got -1"),
        ({"name": "x"}, "program: expected a dictionary of gates, inputs, nodes, results, states"),
    ],
)
def test_data_of_no_program_is_refused_in_one_line(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refusal:
        Program.from_data(DATA | changed)
    assert "\n" not in str(refusal.value)


def test_what_is_fed_back_is_a_state_once_its_mask_is_1() -> None:
    masked = {"inputs": {"m": "sequence"}, "nodes": [["gate", "a"], ["sequence", "m"], ["multiply", 1, 0]]}
    program = Program.from_data(DATA | masked | {"results": [0, 2], "fed_back": 1})
    assert (program.carried, program.fed_back) == (("h", "fed back"), 1)
    assert Program.from_data(program.to_data()) == program
    plain, other = program.with_numbers({"m": 1.0}), program.with_numbers({"m": 0.5})
    assert (plain.results, plain.fed_back, len(plain.nodes)) == ((0,), 0, 1)
    assert (other.results, other.fed_back) == ((0, 2), 1)


def test_a_program_says_its_step_on_one_line() -> None:
    assert repr(Program.from_data(DATA)) == "Program(h = a + (p - q))"
    of_lstm = "v9 = fma(sigma(f), c, sigma(i) * tanh(g)); h = sigma(o) * tanh(v9); c = v9"
    assert repr(cells.LSTM().program) == f"Program({of_lstm})"
    masked = cells.RecurrentDropout(cells.Elman("tanh"), 0.1).program
    assert repr(masked) == "Program(v1 = tanh(a); h = v1; fed_back = recurrent_mask * v1)"
    long = repr(cells.LayerNormLSTM().program)
    assert long.endswith("…)")
    assert len(long) < 320
    others = [["gate", "a"], ["number", -2.0], ["less", 0, 1], ["negate", 0], ["add", 0, 3], ["multiply", 4, 1]]
    nodes = [*others, ["select", 2, 5, 3], ["divide", 6, 4], ["subtract", 7, 5]]
    program = Program.from_data(DATA | {"inputs": {}, "nodes": nodes, "results": [8]})
    assert repr(program) == ("Program(v3 = -a; v4 = a + v3; v5 = v4 * (-2); h = select(a < (-2), v5, v3) / v4 - v5)")


def test_programs_are_equal_where_they_compute_the_same() -> None:
    program = Program.from_data(DATA)
    other_way_round = Program.from_data(DATA | {"inputs": {"q": "unit", "p": "unit"}})
    assert other_way_round == program
    assert other_way_round.inputs_by("unit") == program.inputs_by("unit")
    assert Program.from_data(DATA | {"nodes": [*DATA["nodes"][:5], ["number", -0.0]]}) != program
    of_nan = DATA | {"nodes": [*DATA["nodes"][:5], ["number", float("nan")]]}
    assert Program.from_data(of_nan) == Program.from_data(of_nan)
