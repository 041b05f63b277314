"""What the recurrent networks of the runtime have in common, whatever their cell: NumPy in, NumPy out."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar

import numpy as np

from elman import _engine
from elman._cells import Family
from elman._errors import InputError, shown
from elman.runtime._arrays import Array, as_array, as_lengths, require_out
from elman.runtime._packing import Packing
from elman.runtime._parameters import as_parameters, parameter_names, read_sizes
from elman.runtime._states import States, as_states, from_states
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
    "reset_after": True,
}


class Network:
    """A trained recurrent network, on NumPy and the engine alone.

    Args:
        parameters: arrays by PyTorch's names, all float32 or all float64. Copied.
        cell: the engine's name for it.
        batch_first: input and output are (batch, steps, features), not (steps, batch, features).

    Attributes:
        family: of the cell, a subclass's.
        options: the subclass's arguments beside ``parameters``.
        input_size, hidden_size, num_layers, bidirectional, bias: read off the shapes.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: the parameters are no such network's.
    """

    family: ClassVar[Family]
    options: ClassVar[tuple[str, ...]] = ("batch_first",)

    def __init__(self, parameters: Mapping[str, Any], cell: str, batch_first: bool) -> None:
        if not isinstance(batch_first, bool):
            raise InputError(f"batch_first: expected True or False, got {shown(batch_first)}")
        arrays = as_parameters(parameters)
        self._sizes = sizes = read_sizes({name: array.shape for name, array in arrays.items()}, self.family)
        self.parameters: dict[str, Array] = {name: arrays[name] for name in sizes.shapes()}
        for array in self.parameters.values():
            array.flags.writeable = False
        self.cell, self.batch_first = cell, batch_first
        self.input_size, self.hidden_size = sizes.input_size, sizes.hidden_size
        self.num_layers, self.bidirectional, self.bias = sizes.num_layers, sizes.bidirectional, sizes.bias
        self.dtype = arrays["weight_ih_l0"].dtype
        layers = [
            tuple(self.parameters.get(name) for name in parameter_names(layer, direction, True))
            for layer in range(sizes.num_layers)
            for direction in range(sizes.directions)
        ]
        self._network = self._make_engine(layers)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network to a safetensors file, as :func:`elman.save` does."""
        from elman.runtime._saving import save

        save(self, path, overwrite=overwrite)

    def to_onnx(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network as an ONNX model, of any batch and number of steps (needs the package ``onnx``).

        Its inputs are ``input`` and ``h_0``, of an LSTM ``c_0`` too, its outputs ``output`` and ``h_n``, of an LSTM
        ``c_n`` too, shaped as they are here.

        Raises:
            InputError: the file cannot be written, or exists and not ``overwrite``.
        """
        from elman.runtime._onnx.to_onnx import write_network

        write_network(self, path, overwrite=overwrite)

    def stream(self, batch: int = 1) -> Stream:
        """Return a stream of ``batch`` sequences, to be read step by step from a state of zeros.

        Raises:
            InputError: the network is bidirectional, or ``batch`` no integer of at least 1.
        """
        return Stream(self, batch)

    def __call__(self, x: Any, h_0: Any = None, lengths: Any = None, out: Array | None = None) -> tuple[Array, Any]:
        """Run over whole sequences.

        Args:
            x: (steps, batch, input_size), (batch, steps, input_size) with ``batch_first``, or (steps, input_size).
            h_0: (directions * num_layers, batch, hidden_size), without ``batch`` where ``x`` has none; of an LSTM the
                pair (h_0, c_0), each shaped so. None: zeros.
            lengths: (batch,) the steps that each sequence has, from 0; None: all. What ``x`` holds beyond is not
                read, and the output there is zero.
            out: an array for the output, of the network's dtype, in any layout whose elements don't overlap; it may
                lie over ``x`` or ``h_0``. None: a fresh one.

        Returns:
            The output, shaped as ``x`` with directions * hidden_size features, and h_n, shaped as ``h_0``, the states
            after each sequence's own last step; of an LSTM the pair (h_n, c_n).

        Raises:
            InputError: an argument is of another shape or dtype.
        """
        if lengths is None and out is None:
            results: tuple[Array, Any] | None = self._network.run_plain(x, h_0, self.batch_first)
            if results is not None:
                return results
        x = as_array(x, "x", self.dtype)
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            leading = "([batch,] steps" if self.batch_first else "(steps[, batch]"
            raise InputError(f"x: expected the shape {leading}, {self.input_size}), got {shown(x.shape)}")
        batched = x.ndim == 3
        steps_axis = 1 if batched and self.batch_first else 0
        steps, batch = x.shape[steps_axis], x.shape[1 - steps_axis] if batched else 1
        if steps == 0:
            raise InputError("x: expected one step or more, got none")
        states_shape = self._states_shape(batch) if batched else self._states_shape(1)[::2]
        names = [f"{letter}_0" for letter in self.family.states]
        initial = None if h_0 is None else as_states(h_0, "h_0", names, self.dtype, states_shape, "that of h_n")
        shape = (*x.shape[:-1], self._sizes.directions * self.hidden_size)
        output = np.empty(shape, self.dtype) if out is None else require_out(out, self.dtype, shape)
        written = output
        if out is not None and not _is_fit(output, x, *(initial or ())):
            written = np.empty(shape, self.dtype)
        final = self._empty_states(states_shape)

        x_steps, y_steps = (
            array.swapaxes(0, 1) if steps_axis else array if batched else array[:, None] for array in (x, written)
        )
        if lengths is not None:
            if not batched:
                raise InputError(f"lengths: expected None for one sequence without a batch, got {shown(lengths)}")
            self._run_ragged(x_steps, initial, as_lengths(lengths, batch, steps), y_steps, final)
        elif batch:
            self._network.run(x_steps, None, initial, y_steps, final)
        if written is not output:
            output[...] = written
        return output, from_states(final)

    def run_packed(self, rows: Array, batch_sizes: Array, initial: States | None = None) -> tuple[Array, Any]:
        """Run over packed sequences: ``batch_sizes[t]`` rows at step t, behind one another, never growing.

        Args:
            rows: (rows, input_size), of the network's dtype.
            batch_sizes: (steps,), int64.
            initial: h_0 (directions * num_layers, batch, hidden_size), contiguous, and of an LSTM c_0; None: zeros.

        Returns:
            The output (rows, directions * hidden_size), packed alike, and h_n, of an LSTM (h_n, c_n).
        """
        output = np.empty((len(rows), self._sizes.directions * self.hidden_size), self.dtype)
        final = self._empty_states(self._states_shape(int(batch_sizes[0])))
        self._network.run(rows, batch_sizes, initial, output, final)
        return output, from_states(final)

    def _make_engine(self, layers: list[tuple[Array | None, ...]]) -> Any:
        """Return what computes, from the parameters of each layer and direction."""
        return ENGINES[self.dtype.name](layers, self._sizes.directions, getattr(_engine.Cell, self.cell))

    def _make_stream(self, batch: int, convert: Any) -> Any:
        """Return what steps; it calls ``convert`` with itself and what it cannot read as it is."""
        return _STREAMS[self.dtype.name](self._network, batch, convert)

    def _run_ragged(self, x: Array, initial: States | None, lengths: Array, output: Array, final: States) -> None:
        packing = Packing.of(lengths)
        output[...] = 0
        for i, of_all in enumerate(final):
            of_all[...] = 0 if initial is None else initial[i]
        if not len(packing.order):
            return
        if initial is not None:
            initial = tuple(np.ascontiguousarray(state[:, packing.order]) for state in initial)
        rows, last = self.run_packed(x[packing.steps, packing.places], packing.batch_sizes, initial)
        output[packing.steps, packing.places] = rows
        for of_all, of_run in zip(final, last if isinstance(last, tuple) else (last,), strict=True):
            of_all[:, packing.order] = of_run

    def _states_shape(self, batch: int) -> tuple[int, ...]:
        return self._sizes.directions * self.num_layers, batch, self.hidden_size

    def _empty_states(self, shape: tuple[int, ...]) -> States:
        return tuple(np.empty(shape, self.dtype) for _ in self.family.states)

    def __repr__(self) -> str:
        options = [
            f"{name}={getattr(self, name)!r}"
            for name, default in _OPTIONS.items()
            if getattr(self, name, default) != default
        ]
        sizes = [str(self.input_size), str(self.hidden_size)]
        return f"{self.family.title}({', '.join([*sizes, *options, self.dtype.name])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parameters, *(getattr(self, name) for name in self.options))


def _is_fit(out: Array, *read: Array | None) -> bool:
    """Whether the engine can write to ``out`` as it is: features behind one another, aligned, and read from nowhere."""
    return (
        out.strides[-1] == out.itemsize
        and out.flags.aligned
        and not any(array is not None and np.may_share_memory(out, array) for array in read)
    )
