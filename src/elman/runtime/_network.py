"""What the recurrent networks of the runtime have in common, whatever their cell: NumPy in, NumPy out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import PathLike
from typing import Any, ClassVar

import numpy as np

from elman import _engine
from elman._cells import Family
from elman._errors import InputError, shown
from elman.runtime._arrays import Array, as_array, as_flags, as_lengths, require_out
from elman.runtime._parameters import as_parameters, parameter_names, read_sizes, state_names, unit_names
from elman.runtime._states import States, StatesForm
from elman.runtime._stream import Stream

__all__ = ["ENGINES", "Network"]

ENGINES: dict[str, Any] = {"float32": _engine.NetworkFloat32, "float64": _engine.NetworkFloat64}
_STREAMS: dict[str, Any] = {"float32": _engine.StreamFloat32, "float64": _engine.StreamFloat64}
_OPTIONS = {  # what a repr leaves out
    "num_layers": 1,
    "nonlinearity": "tanh",
    "bias": True,
    "batch_first": False,
    "bidirectional": False,
    "learn_initial_state": False,
    "residual": False,
    "reset_after": True,
}


class Network:
    """A trained recurrent network, on NumPy and the engine alone.

    Args:
        parameters: arrays by PyTorch's names, all float32 or all float64. Copied.
        cell: the engine's name for it.
        batch_first: input and output are (batch, steps, features), not (steps, batch, features).
        residual: a layer's input is added to its output, from the second layer on, where they are as wide.

    Attributes:
        family: of the cell, a subclass's.
        options: the subclass's arguments beside ``parameters`` and ``residual``.
        input_size, hidden_size, num_layers, bidirectional, bias, learn_initial_state: read off names and shapes;
            hidden_size is a tuple, one width a layer, where layers differ.
        states_form: what its states look like.
        start: what sequences begin from, flat, of a batch of one.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: the parameters are no such network's.
    """

    family: Family
    options: ClassVar[tuple[str, ...]] = ("batch_first",)

    def __init__(self, parameters: Mapping[str, Any], cell: str, batch_first: bool, residual: bool) -> None:
        for name, value in (("batch_first", batch_first), ("residual", residual)):
            if not isinstance(value, bool):
                raise InputError(f"{name}: expected True or False, got {shown(value)}")
        arrays = as_parameters(parameters)
        self._sizes = sizes = read_sizes({name: array.shape for name, array in arrays.items()}, self.family)
        self.parameters: dict[str, Array] = {name: arrays[name] for name in sizes.shapes()}
        for array in self.parameters.values():
            array.flags.writeable = False
        self.cell, self.batch_first, self.residual = cell, batch_first, residual
        self.input_size, self.num_layers = sizes.input_size, len(sizes.widths)
        self.bidirectional, self.bias, self.learn_initial_state = sizes.bidirectional, sizes.bias, sizes.learned
        self.dtype = arrays["weight_ih_l0"].dtype
        self.states_form = StatesForm(self.family.states, sizes.widths, sizes.directions, self.dtype)
        self.hidden_size: int | tuple[int, ...] = sizes.widths[0] if self.states_form.is_even else sizes.widths
        self.start = self._initial_state()
        layers = [
            tuple(
                self.parameters.get(name)
                for name in parameter_names(layer, direction, True) + unit_names(self.family, layer, direction)
            )
            for layer in range(self.num_layers)
            for direction in range(sizes.directions)
        ]
        self._network = self._make_engine(layers)

    @classmethod
    def family_of(cls, **options: Any) -> Family:
        """Return the family of the cell that a network with these arguments has."""
        return cls.family

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network to a safetensors file, as :func:`elman.save` does."""
        from elman.runtime._saving import save

        save(self, path, overwrite=overwrite)

    def to_onnx(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network as an ONNX model, of any batch and number of steps (needs the package ``onnx``).

        Its inputs are ``input`` and ``h_0``, of an LSTM ``c_0`` too, its outputs ``output`` and ``h_n``, of an LSTM
        ``c_n`` too, shaped as they are here; where layers differ in width ``h_0_l0``, ``h_0_l1``, … and ``h_n_l0``, ….
        Learned initial states are what these inputs are by default.

        Raises:
            InputError: the file cannot be written, or exists and not ``overwrite``, or the cell is one's own, for which
                ONNX has no operator.
        """
        from elman.runtime._onnx.to_onnx import write_network

        write_network(self, path, overwrite=overwrite)

    def stream(self, batch: int = 1) -> Stream:
        """Return a stream of ``batch`` sequences, to be read step by step from the initial state.

        Raises:
            InputError: the network is bidirectional, or ``batch`` no integer of at least 1.
        """
        return Stream(self, batch)

    def __call__(
        self, x: Any, h_0: Any = None, lengths: Any = None, out: Array | None = None, *, resets: Any = None
    ) -> tuple[Array, Any]:
        """Run over whole sequences.

        Args:
            x: (steps, batch, input_size), (batch, steps, input_size) with ``batch_first``, or (steps, input_size).
            h_0: (directions * num_layers, batch, hidden_size), without ``batch`` where ``x`` has none; where layers
                differ in width, a tuple of arrays (directions, batch, hidden_size), one a layer; of an LSTM the pair
                (h_0, c_0), each so. None: the learned initial states, zeros where there are none.
            lengths: (batch,), one integer where ``x`` has no batch: the steps that each sequence has, from 0; None:
                all. What ``x`` holds beyond is not read, and the output there is zero.
            out: an array for the output, of the network's dtype, in any layout whose elements don't overlap; it may
                lie over ``x`` or ``h_0``. None: a fresh one.
            resets: booleans (steps, batch), (batch, steps) with ``batch_first``, (steps,) where ``x`` has no batch:
                before a flagged step the sequence begins anew, from the learned initial state or zeros. Flags beyond
                a length are not read. For networks in one direction.

        Returns:
            The output, shaped as ``x`` with directions * hidden_size features, and h_n, shaped as ``h_0``, the states
            after each sequence's own last step, its initial ones where it has none; of an LSTM the pair (h_n, c_n).

        Raises:
            InputError: an argument is of another shape or dtype, or ``x`` has no steps and neither lengths nor resets.
        """
        if lengths is None and out is None and resets is None:
            results: tuple[Array, Any] | None = self._network.run_plain(x, h_0, self.batch_first)
            if results is not None:
                return results
        x = as_array(x, "x", self.dtype)
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            leading = "([batch,] steps" if self.batch_first else "(steps[, batch]"
            raise InputError(f"x: expected the shape {leading}, {self.input_size}), got {shown(x.shape)}")
        x_steps, form = self._by_step(x), self.states_form
        steps, batch = x_steps.shape[:2]
        if steps == 0 and lengths is None and resets is None:
            raise InputError("x: expected one step or more, got none")
        pieces = self._pieces(x, lengths, resets)
        own_batch = batch if x.ndim == 3 else None
        names = [f"{letter}_0" for letter in form.letters]
        initial = None if h_0 is None else form.read(h_0, "h_0", names, own_batch, "that of h_n")
        shape = (*x.shape[:-1], self.output_size)
        output = np.empty(shape, self.dtype) if out is None else require_out(out, self.dtype, shape)
        written = output
        if out is not None and not _is_fit(output, x, *(initial or ())):
            written = np.empty(shape, self.dtype)
        y_steps, final = self._by_step(written), form.empty(batch)
        if pieces is not None:
            self._run_pieces(pieces, x_steps, initial, y_steps, final)
        elif batch:
            self._network.run(x_steps, None, initial, y_steps, final)
        if written is not output:
            output[...] = written
        return output, form.given(final, own_batch)

    def run_packed(self, rows: Array, batch_sizes: Array) -> tuple[Array, Any]:
        """Run over packed sequences: ``batch_sizes[t]`` rows at step t, behind one another, never growing.

        Args:
            rows: (rows, input_size), of the network's dtype.
            batch_sizes: (steps,), int64.

        Returns:
            The output (rows, directions * hidden_size), packed alike, and h_n, of an LSTM (h_n, c_n).
        """
        output, final = np.empty((len(rows), self.output_size), self.dtype), self.states_form.empty(batch_sizes[0])
        self._network.run(rows, batch_sizes, None, output, final)
        return output, self.states_form.given(final, int(batch_sizes[0]))

    @property
    def output_size(self) -> int:
        """How many features the output has: directions * hidden_size, of the last layer."""
        return self._sizes.directions * self._sizes.widths[-1]

    def _make_engine(self, layers: list[tuple[Array | None, ...]]) -> Any:
        """Return what computes, from the parameters of each layer and direction."""
        cell = getattr(_engine.Cell, self.cell)
        return ENGINES[self.dtype.name](layers, self._sizes.directions, cell, self.residual, self._flat_start())

    def _flat_start(self) -> Array | None:
        return np.concatenate(self.start) if self.learn_initial_state else None

    def _make_stream(self, batch: int, convert: Any) -> Any:
        """Return what steps; it calls ``convert`` with itself and what it cannot read as it is."""
        return _STREAMS[self.dtype.name](self._network, batch, convert)

    def _initial_state(self) -> States:
        """Return what sequences begin from, flat, for a batch of one."""
        if not self.learn_initial_state:
            return tuple(np.zeros_like(flat) for flat in self.states_form.empty(1))
        return tuple(
            np.concatenate(
                [
                    self.parameters[name]
                    for layer in range(self.num_layers)
                    for name in state_names(letter, layer, self._sizes.directions)
                ]
            )
            for letter in self.family.states
        )

    def _by_step(self, array: Array) -> Array:
        """Return a view (steps, batch, features) of what goes in or out."""
        if array.ndim == 2:
            return array[:, None]
        return array.swapaxes(0, 1) if self.batch_first else array

    def _pieces(self, x: Array, lengths: Any, resets: Any) -> tuple[Any, ...] | None:
        """Return the pieces that lengths and resets cut the sequences into; None where each is one, from end to end."""
        steps, batch = self._by_step(x).shape[:2]
        own: Any = None
        flags: Any = None
        if lengths is not None:
            own = np.ascontiguousarray(as_lengths(lengths, batch if x.ndim == 3 else None, steps))
        if resets is not None:
            if self.bidirectional:
                raise InputError(
                    "resets: expected None for a bidirectional network, which reads each sequence from its end as well"
                )
            given = as_flags(resets, "resets", x.shape[:-1], "that of x without its features")
            flags = self._by_step(given[..., None])[..., 0]
        return _engine.cut(own, flags, steps, batch)

    def _run_pieces(
        self, pieces: tuple[Any, ...], x: Array, initial: States | None, output: Array, final: States
    ) -> None:
        places, batch_sizes, carried_on, last, _ = pieces
        sequences, batch, count = places[:, 1], x.shape[1], len(places)
        blocks = self.states_form.blocks
        for flat, given in zip(final, self.start if initial is None else initial, strict=True):
            of_given = blocks(given, 1 if initial is None else batch)
            for after, before in zip(blocks(flat, batch), of_given, strict=True):
                after[...] = before  # what it stays for a sequence of no steps
        if not count:
            output[...] = 0
            return
        begin = None  # from the start
        if initial is not None:
            begin = self.states_form.empty(count)
            for flat, of_start, given in zip(begin, self.start, initial, strict=True):
                for block, start, before in zip(
                    blocks(flat, count), blocks(of_start, 1), blocks(given, batch), strict=True
                ):
                    block[...] = start
                    block[:, carried_on] = before[:, sequences[carried_on]]
        ends = self.states_form.empty(count)
        self._network.run(x, batch_sizes, begin, output, ends, places)
        for flat, of_ends in zip(final, ends, strict=True):
            for after, end in zip(blocks(flat, batch), blocks(of_ends, count), strict=True):
                after[:, sequences[last]] = end[:, last]

    def __repr__(self) -> str:
        options = [
            f"{name}={getattr(self, name)!r}"
            for name, default in _OPTIONS.items()
            if getattr(self, name, default) != default
        ]
        sizes = [str(self.input_size), str(self.hidden_size)]
        return f"{self.family.title}({', '.join([*sizes, *options, self.dtype.name])})"

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(type(self), residual=True) if self.residual else type(self)
        return made, (self.parameters, *(getattr(self, name) for name in self.options))


def _is_fit(out: Array, *read: Array | None) -> bool:
    """Whether the engine can write to ``out`` as it is: features behind one another, aligned, and read from nowhere."""
    return (
        out.strides[-1] == out.itemsize
        and out.flags.aligned
        and not any(array is not None and np.may_share_memory(out, array) for array in read)
    )
