"""What a step may say, and what it is told where it may not."""

import copy
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from elman import InputError
from elman.cells import Cell, CellError, Elman, RateLeaky, Value, fma, learned, log, mean_units, sum_units, tanh, where


class Leaky(Cell):
    def step(self, a: Value, h: Value, leak: Any) -> Value:
        return (1 - leak) * h + leak * tanh(a)


def test_a_step_becomes_a_program_once() -> None:
    assert Leaky(leak=0.25).program.to_data() == {
        "gates": ["a"],
        "states": ["h"],
        "inputs": {},
        "nodes": [
            ["gate", "a"],
            ["state", "h"],
            ["number", 0.75],
            ["multiply", 2, 1],
            ["tanh", 0],
            ["number", 0.25],
            ["multiply", 5, 4],
            ["add", 3, 6],
        ],
        "results": [7],
    }


def test_values_for_each_unit_and_learned_ones_are_inputs_of_the_program() -> None:
    for leak in (learned(0.2), np.full(3, 0.2), torch.full((3,), 0.2), [0.2, 0.3, 0.4]):
        assert Leaky(leak=leak).program.inputs == {"leak": "unit"}


def test_what_is_written_twice_is_computed_once() -> None:
    class Twice(Cell):
        def step(self, a: Value, h: Value) -> Value:
            return tanh(a) * tanh(a) + 0.0 * h + -0.0 * h

    operations = [node.operation for node in Twice().program.nodes]
    assert operations.count("tanh") == 1
    assert operations.count("number") == 2  # 0.0 and -0.0 differ


def test_a_gate_whose_parts_are_taken_comes_last() -> None:
    class Apart(Cell):
        gates = ("n", "z")

        def step(self, n: Any, z: Any, h: Value) -> Value:
            return tanh(fma(z, n.recurrent, n.input)) + h

    program = Apart().program
    assert (program.gates, program.apart) == (("z", "n"), ("n",))


def test_numbers_of_numpy_stand_beside_values() -> None:
    class Scaled(Cell):
        def step(self, a: Value, h: Value) -> Value:
            return np.float32(0.5) * a + h / np.float64(2) + where(np.int64(1) < a, a, h)

    numbers = {node.number for node in Scaled().program.nodes if node.operation == "number"}
    assert numbers == {0.5, 2.0, 1.0}


def test_numbers_are_compared_and_averaged_at_once() -> None:
    class Chosen(Cell):
        def step(self, a: Value, h: Value, leak: Any) -> Value:
            return where(leak > 0.5, a, h) * (leak / mean_units(leak))

    assert Chosen(leak=0.25).program.to_data()["nodes"] == [["state", "h"], ["number", 1.0], ["multiply", 0, 1]]
    assert Chosen(leak=[0.25, 0.75]).program.inputs == {"leak": "unit"}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda self, a, h: h if a > 0 else a, "cannot branch on values"),
        (lambda self, a, h: max(a, h), "cannot branch on values"),
        (lambda self, a, h: torch.tanh(a), "no other library's"),
        (lambda self, a, h: np.tanh(a), "no other library's"),
        (lambda self, a, h: torch.ones(3) * a, "values of the cell and numbers, got tensor"),
        (lambda self, a, h: np.ones(3) * a, "no other library's"),
        (lambda self, a, h: a[0], "no other library's"),
        (lambda self, a, h: float(a), "no other library's"),
        (lambda self, a, h: sum(x for x in a), "no other library's"),
        (lambda self, a, h: a**0.5, "a whole exponent of 1 to 8, got 0.5"),
        (lambda self, a, h: a**0, "a whole exponent of 1 to 8, got 0"),
        (lambda self, a, h: a + (a > 0), "which a comparison is none of"),
        (lambda self, a, h: where(a, a, h), "a comparison to choose by"),
        (lambda self, a, h: tanh("a"), "expected values of the cell or numbers, got 'a'"),
        (lambda self, a, h: a + "h", "values of the cell and numbers, got 'h'"),
        (lambda self, a, h: where(a != h, a, h), "a step has no !=: where(a == b, that, this)"),
        (lambda self, a, h: where((a > 0) & (h > 0), a, h), "comparisons and the functions of elman.cells"),
        (lambda self, a, h: torch.nn.functional.relu(a), "no other library's"),
        (lambda self, a, h: np.clip(a, 0, 1), "no other library's"),
        (lambda self, a, h: sum_units(1.0) * a, "sum_units: expected a value of the cell, got 1.0"),
        (lambda self, a, h: a * 10**400, "multiply: expected numbers that it is defined for, got 1000"),
        (lambda self, a, h: a * log(-1.0), "log: expected numbers that it is defined for, got -1.0"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_its_line(step: Any, message: str) -> None:
    with pytest.raises(CellError, match=re.escape(message)) as refusal:
        type("Wrong", (Cell,), {"step": step})()
    assert str(refusal.value).startswith(f"test_values.py, line {step.__code__.co_firstlineno}: ")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda self, a, h: a > h, "Wrong.step: expected to return a value (h), got a comparison"),
        (lambda self, a, h: 1.0, "Wrong.step: expected to return a value (h)"),
        (lambda self, a, h: (a, h), "Wrong.step: expected to return a value (h), got 2 values"),
        (lambda self, a, h, q: a, "q is no gate, state or input; give it as Wrong(q=…)"),
        (lambda self, h: h, "Wrong.step: expected to take a, got h"),
        (
            lambda self, a, h, *others: a,
            "Wrong.step: expected arguments with names, as in step(self, a, h), got *others",
        ),
        (lambda self, a, h, /: a, "Wrong.step: expected arguments with names, as in step(self, a, h), got a"),
    ],
)
def test_a_step_of_another_shape_is_refused(step: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        type("Wrong", (Cell,), {"step": step})()


def test_a_step_of_too_few_states_is_told_how_many() -> None:
    def step(self: Any, a: Value, h: Value, c: Value) -> Value:
        return a + h + c

    with pytest.raises(InputError, match=r"expected to return 2 values \(h, c\), got a value$"):
        type("Wrong", (Cell,), {"states": ("h", "c"), "step": step})()


def test_names_that_are_none_are_refused() -> None:
    def step(self: Any, h: Value) -> Value:
        return h

    for attributes, message in (
        ({"gates": (1,)}, r"Wrong\.gates: expected a tuple of names, as in gates = \(\"a\",\), got \(1,\)"),
        ({"states": ()}, r"Wrong\.states: expected one or more, got none"),
    ):
        with pytest.raises(InputError, match=message):
            type("Wrong", (Cell,), {**attributes, "step": step})()


def test_a_step_of_too_many_operations_is_refused() -> None:
    class Long(Cell):
        def step(self, a: Value, h: Value) -> Value:
            for _ in range(300):
                h = h + a
            return h

    with pytest.raises(InputError, match=r"Long\.step: expected at most 256 operations, got 302"):
        Long()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "leak is no gate, state or input; give it as Leaky(leak=…)"),
        ({"leak": 0.1, "gain": 2}, "expected to take gain"),
        ({"leak": "much"}, "leak: expected a number, values or learned(…), got 'much'"),
        ({"leak": None}, "leak: expected a number, values or learned(…), got None"),
        ({"leak": True}, "leak: expected a number, values or learned(…), got True"),
        ({"leak": 1j}, "leak: expected a number, values or learned(…), got 1j"),
        ({"leak": {}}, "leak: expected a number, values or learned(…), got {}"),
        ({"leak": [[1.0], [1.0, 2.0]]}, "leak: expected a number, values or learned(…), got [[1.0], [1.0, 2.0]]"),
        ({"leak": learned("much")}, "leak: expected a number, values or learned(…), got learned('much')"),
        ({"leak": torch.nn.Parameter(torch.ones(4))}, "leak: expected learned(…) around what is learned"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        Leaky(**given)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"gates": "rest"}, "Wrong.gates: expected a tuple of names, as in gates = (\"a\",), got 'rest'"),
        ({"gates": (*"bcdefgijk",)}, "Wrong.step: gates: expected from 1 to 8, got 9"),
        ({"states": (*"hvwxy",)}, "Wrong.step: states: expected from 1 to 4, got 5"),
        ({"step_inputs": ("lengths",)}, "lengths: expected another name for an input"),
        ({"sequence_inputs": ("h_0",)}, "h_0: expected another name for an input"),
    ],
)
def test_a_cell_that_no_layer_can_have_is_refused_when_it_is_made(attributes: dict[str, Any], message: str) -> None:
    cell = type("Wrong", (Cell,), attributes)
    names = [*cell.gates, *cell.states, *cell.step_inputs, *cell.sequence_inputs]
    states = ", ".join(cell.states)
    step = eval(f"lambda self, {', '.join(names)}: ({'+'.join(names)}, {states})[:{len(cell.states)}]")
    with pytest.raises(InputError, match=re.escape(message)):
        type("Wrong", (cell,), {"step": step})()


def test_a_cell_with_numbers_of_its_own_needs_no_init_of_its_base() -> None:
    @dataclass
    class Scaled(Cell):
        scale: float = 0.5

        def step(self, a: Value) -> Value:
            return self.scale * tanh(a)

    assert ["number", 0.25] in Scaled(0.25).program.to_data()["nodes"]
    assert repr(copy.deepcopy(Scaled(0.25))).endswith("Scaled(scale=0.25)")


def test_numbers_of_numpy_become_a_part_of_the_program() -> None:
    assert Leaky(leak=np.float32(0.25)).program == Leaky(leak=0.25).program


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Elman("elu", gamma=1), "gamma: expected alpha of elu"),
        (lambda: Elman("tanh", alpha=1), "alpha: expected no constants of tanh"),
        (lambda: Elman("elu", alpha="1"), "alpha: expected a number, got '1'"),
        (lambda: Elman("elo"), "activation: expected one of tanh, relu"),
        (lambda: RateLeaky(0.0), "leak: expected a number above 0, got 0.0"),
        (lambda: RateLeaky(noise=-1), "noise: expected a number of 0 or more, got -1"),
    ],
)
def test_what_the_librarys_cells_do_not_have_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make()
