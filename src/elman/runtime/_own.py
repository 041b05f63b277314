"""``Recurrent``: networks whose cell is a program that their user has written."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, TypeVar

from elman._cells import Family
from elman._errors import InputError, one_line, shown
from elman.cells._engine import compiled
from elman.cells._program import Program
from elman.runtime._arrays import Array
from elman.runtime._network import ENGINES, Network

__all__ = ["Recurrent", "family_of_program"]

Kind = TypeVar("Kind", bound="Recurrent")


def family_of_program(program: Program) -> Family:
    """Return what there is to know of a cell that is a program: its gates are counted alone."""
    return Family(
        name="recurrent",
        title="Recurrent",
        gates="g" * len(program.gates),
        states=program.states,
        unit_inputs=tuple(name for name, kind in program.inputs.items() if kind == "unit"),
        is_recurrent=program.is_recurrent,
        modes={},
        keras="",
    )


class Recurrent(Network):
    """A trained network of a cell of one's own, on NumPy and the engine alone.

    The same bits as :class:`elman.nn.Recurrent` gives while it is not trained; all else is as with :class:`RNN`. Of a
    cell with several states initial and final states, and a stream's, are tuples.

    Args:
        parameters: arrays by the names that :class:`elman.nn.Recurrent` has, all float32 or all float64: weights with
            a row for each unit of each gate, ``[name]_l0`` (hidden_size,) for each that the cell is given by unit, and
            initial states if they are learned, ``h_0_l0`` (hidden_size,). Copied.
        program: the cell's, without inputs by step or sequence: :meth:`elman.cells.Program.with_numbers` gives those.
        batch_first, residual: as for :class:`RNN`.

    Attributes:
        input_size, hidden_size, num_layers, bidirectional, bias, learn_initial_state: as of :class:`RNN`.
        program: the cell's.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: a ValueError that names the array which does not fit, what was expected and what came.

    Example:
        >>> import numpy as np, elman
        >>> from elman.cells import Cell, tanh
        >>> class Leaky(Cell):
        ...     def step(self, a, h):
        ...         return 0.8 * h + 0.2 * tanh(a)
        >>> parameters = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.ones((3, 3))}
        >>> network = elman.runtime.Recurrent(parameters, Leaky().program)
        >>> output, h_n = network(np.ones((5, 4, 2)))
        >>> output.shape, h_n.shape
        ((5, 4, 3), (1, 4, 3))
    """

    family = Family(name="recurrent", title="Recurrent", modes={}, keras="")
    options = ("program", "batch_first")

    def __init__(
        self, parameters: Mapping[str, Any], program: Program, batch_first: bool = False, *, residual: bool = False
    ) -> None:
        if not isinstance(program, Program):
            raise InputError(f"program: expected a Program, as cells have, got {shown(program)}")
        others = [name for name, kind in program.inputs.items() if kind != "unit"]
        if others:
            raise InputError(f"program: expected a number for {', '.join(others)}, which with_numbers gives")
        if len(program.results) > len(program.states):
            raise InputError("program: expected one of its states to be fed back, got another value")
        self.program, self.family = program, family_of_program(program)
        super().__init__(parameters, "", batch_first, residual)

    @classmethod
    def load(cls: type[Kind], path: str | PathLike[str]) -> Kind:
        """Read a network from a safetensors file that :func:`elman.save` wrote.

        Args:
            path: the file.

        Raises:
            InputError: it is no such file, or damaged, or holds no network of this kind.
        """
        from elman.runtime._saving import load_network

        network: Kind = load_network(path, cls)
        return network

    @classmethod
    def family_of(cls, **options: Any) -> Family:
        """Return the family of the cell that a network with these arguments has."""
        return family_of_program(options["program"])

    def _make_engine(self, layers: list[tuple[Array | None, ...]]) -> Any:
        try:
            programs = [compiled(self.program, width) for width in self._sizes.widths]
        except ValueError as error:
            raise InputError(f"program: expected one that the engine runs, got: {one_line(error)}") from None
        return ENGINES[self.dtype.name](layers, self._sizes.directions, programs, self.residual, self._flat_start())
