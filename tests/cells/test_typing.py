"""What a type checker says of annotated steps."""

import subprocess
import sys
from pathlib import Path

import pytest

ANNOTATED = """
from elman.cells import Cell, Gate, Value, fma, learned, maximum, mean_units, relu, sigma, sqrt, sum_units, tanh, where


class Plain(Cell):
    def step(self, a: Gate, h: Value) -> Value:
        return tanh(a)


class Leaky(Cell):
    def step(self, a: Gate, h: Value, leak: Value | float) -> Value:
        return (1 - leak) * h + leak * tanh(a)


class GRU(Cell):
    gates = ("r", "z", "n")

    def step(self, r: Gate, z: Gate, n: Gate, h: Value) -> Value:
        new = tanh(fma(sigma(r), n.recurrent, n.input))
        return fma(sigma(z), h - new, new)


class LSTM(Cell):
    gates, states = ("i", "f", "g", "o"), ("h", "c")

    def step(self, i: Gate, f: Gate, g: Gate, o: Gate, c: Value) -> tuple[Value, Value]:
        c = fma(sigma(f), c, sigma(i) * tanh(g))
        return sigma(o) * tanh(c), c


class Normalised(Cell):
    def step(self, a: Gate, h: Value, gain: float) -> Value:
        centred = a - mean_units(a)
        scale: float = sqrt(2 * gain)
        return where(abs(a) < 1, maximum(centred, -gain) / scale, relu(a) ** 2 + sum_units(h))


leaky = Leaky(leak=learned(0.2))
"""


@pytest.mark.slow  # all that a step imports is checked: the annotations of elman.cells themselves are by `make lint`
@pytest.mark.timeout(600)
def test_annotated_steps_pass_a_strict_type_checker_and_wrong_ones_do_not(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    file, wrong = (
        tmp_path / "annotated.py",
        "class Wrong(Cell):\n    def step(self, a: Gate) -> float:\n        return ",
    )
    file.write_text(f"{ANNOTATED}\n\n{wrong}tanh(a)\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "--no-error-summary", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout.splitlines()
    assert [line.partition("error: ")[2] for line in said] == [
        'Incompatible return value type (got "Value", expected "float")  [return-value]'
    ]
