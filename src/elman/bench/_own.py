"""A cell of the user's own: read from their file once, then data, which is all that contenders are given."""

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np

from elman._cells import Family
from elman._errors import InputError, OptionError, listed, one_line
from elman.cells import Cell, CellError, Learned, Program

__all__ = ["Own", "load"]

OF_ONE = "FILE:NAME of a Cell in it, or FILE:NAME(…) of one with its values"
KINKS = {"less", "less_equal", "equal", "select", "minimum", "maximum", "abs", "relu"}


@dataclass(frozen=True)
class Own:
    """A cell that its user has written.

    Attributes:
        title: its class.
        program: what its step does.
        units: by name what it is given for each unit: one value for all, or one each.
        learned: which of these are learned.
    """

    title: str
    program: Program
    units: Mapping[str, tuple[float, ...]] = field(hash=False)
    learned: tuple[str, ...]

    @cached_property
    def family(self) -> Family:
        """What a table of cells would say of it; a gate is known by a letter."""
        gates = ascii_lowercase[: len(self.program.gates)]
        return Family(
            name="own",
            title=self.title,
            gates=gates,
            apart=gates[len(gates) - len(self.program.apart) :],
            states=self.program.states,
            unit_inputs=tuple(self.units),
            is_recurrent=self.program.is_recurrent,
            modes={},
            keras="",
        )

    @property
    def width(self) -> int | None:
        """The hidden size that its values are for; None: any."""
        return next((len(values) for values in self.units.values() if len(values) > 1), None)

    @property
    def has_kinks(self) -> bool:
        """Whether an error of rounding can make a difference: on the other side of a kink another slope counts."""
        return any(node.operation in KINKS for node in self.program.nodes)

    def to_data(self) -> dict[str, Any]:
        """Lists, dictionaries, strings and numbers alone."""
        units = {name: [*values] for name, values in self.units.items()}
        return {"program": self.program.to_data(), "units": units, "learned": [*self.learned]}

    @classmethod
    def from_data(cls, title: str, data: Any) -> "Own":
        """The inverse of :meth:`to_data`."""
        units = {name: tuple(values) for name, values in data["units"].items()}
        return cls(title, Program.from_data(data["program"]), units, tuple(data["learned"]))


def load(text: str) -> Own:
    """Read a cell from a file of Python, which is run.

    Args:
        text: ``mycell.py``, where there is one cell in it, or ``mycell.py:Leaky``, ``mycell.py:Leaky(leak=0.2)``.

    Raises:
        InputError: there is no such file or cell, or the file fails; one line that names the place.
    """
    before, mark, expression = text.partition(".py:")
    path = Path(before + ".py" if mark else text)
    if not path.is_file():
        raise InputError(f"{path}: expected a file of Python with a cell in it, there is no such file")
    module = _run(path)
    cell = _evaluated(path, expression, module, text) if mark else _only(path, module)
    if isinstance(cell, type) and issubclass(cell, Cell):
        cell = _guarded(path, cell)
    if not isinstance(cell, Cell):
        raise OptionError("cell_file", OF_ONE, text)
    initial = {name: cell.parameters[name] for name in cell.program.inputs_by("unit")}
    return Own(
        type(cell).__name__,
        cell.program,
        {name: _numbers(value.initial if isinstance(value, Learned) else value) for name, value in initial.items()},
        tuple(name for name, value in initial.items() if isinstance(value, Learned)),
    )


def _run(path: Path) -> dict[str, Any]:
    """Return the names that a file defines; it may import what lies beside it."""
    name = f"cell_file_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: expected a file of Python, named .py")
    module = sys.modules[name] = module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        _guarded(path, lambda: spec.loader.exec_module(module))
    finally:
        sys.path.pop(0)
    return vars(module)


def _evaluated(path: Path, expression: str, module: dict[str, Any], text: str) -> Any:
    try:
        code = compile(expression, text, "eval")
    except (SyntaxError, ValueError):
        raise OptionError("cell_file", OF_ONE, text) from None
    return _guarded(path, lambda: eval(code, module))


def _only(path: Path, module: dict[str, Any]) -> Any:
    """Return the one cell, or class of cells, that a file defines."""
    made = {name: value for name, value in module.items() if isinstance(value, Cell)}
    classes = {
        name: value
        for name, value in module.items()
        if isinstance(value, type) and issubclass(value, Cell) and value.__module__ == module["__name__"]
    }
    found = made or classes
    if len(found) != 1:
        some = f"{path}:NAME with one of {listed(found)}" if found else "a file with a Cell in it"
        raise OptionError("cell_file", some, str(path))
    return next(iter(found.values()))


def _guarded(path: Path, call: Any) -> Any:
    """Call what is the user's own, and say in one line, with theirs, what became of it."""
    try:
        return call()
    except (InputError, CellError) as error:
        message = str(error)
        raise InputError(message if message.startswith(path.name) else f"{path}: {message}") from None
    except SyntaxError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
        place = f"{path}, line {own[-1]}" if own else f"{path}"
        raise InputError(one_line(f"{place}: {type(error).__name__}: {error}")) from None


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(map(float, np.asarray(values, np.float64).reshape(-1)))
