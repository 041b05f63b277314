"""The recurrent network of the runtime: NumPy in, NumPy out."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from elman import _engine
from elman._errors import InputError, shown
from elman.runtime._arrays import Array, as_array, as_lengths, as_shaped, require_out
from elman.runtime._packing import Packing
from elman.runtime._parameters import as_parameters, parameter_names, read_sizes
from elman.runtime._stream import Stream

__all__ = ["NETWORKS", "RNN"]

_NONLINEARITIES = {"tanh": _engine.Cell.tanh, "relu": _engine.Cell.relu}
NETWORKS: dict[str, Any] = {"float32": _engine.NetworkFloat32, "float64": _engine.NetworkFloat64}


class RNN:
    r"""A trained Elman network, on NumPy and the engine alone.

    .. math::
        h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    The same bits as :class:`elman.nn.RNN` gives, over whole sequences, in chunks, in any batch, or step by step.
    Immutable: threads may share one.

    Args:
        parameters: arrays by PyTorch's names, all float32 or all float64: ``weight_ih_l0`` (hidden_size, input_size),
            ``weight_hh_l0`` (hidden_size, hidden_size), ``bias_ih_l0``, ``bias_hh_l0`` (hidden_size), and so on with
            ``_l1`` for the next layer and ``_reverse`` for a second direction; a ``state_dict`` will do. Copied.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        batch_first: input and output are (batch, steps, features), not (steps, batch, features).

    Attributes:
        input_size, hidden_size, num_layers, bidirectional, bias: read off the shapes.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: a ValueError that names the array which does not fit, what was expected and what came.

    Example:
        >>> import numpy as np, elman
        >>> draw = np.random.default_rng(0).uniform
        >>> shapes = {"weight_ih_l0": (3, 2), "weight_hh_l0": (3, 3), "bias_ih_l0": (3,), "bias_hh_l0": (3,)}
        >>> rnn = elman.runtime.RNN({name: draw(-1, 1, shape) for name, shape in shapes.items()})
        >>> output, h_n = rnn(draw(-1, 1, (5, 4, 2)))
        >>> output.shape, h_n.shape
        ((5, 4, 3), (1, 4, 3))

    Source: J. L. Elman, "Finding structure in time" (1990).
    """

    def __init__(self, parameters: Mapping[str, Any], nonlinearity: str = "tanh", batch_first: bool = False) -> None:
        if not isinstance(nonlinearity, str) or nonlinearity not in _NONLINEARITIES:
            raise InputError(f"nonlinearity: expected 'tanh' or 'relu', got {shown(nonlinearity)}")
        if not isinstance(batch_first, bool):
            raise InputError(f"batch_first: expected True or False, got {shown(batch_first)}")
        arrays = as_parameters(parameters)
        self._sizes = sizes = read_sizes({name: array.shape for name, array in arrays.items()})
        self.parameters: dict[str, Array] = {name: arrays[name] for name in sizes.shapes()}
        for array in self.parameters.values():
            array.flags.writeable = False
        self.nonlinearity, self.batch_first = nonlinearity, batch_first
        self.input_size, self.hidden_size = sizes.input_size, sizes.hidden_size
        self.num_layers, self.bidirectional, self.bias = sizes.num_layers, sizes.bidirectional, sizes.bias
        self.dtype = arrays["weight_ih_l0"].dtype
        layers = [
            tuple(self.parameters.get(name) for name in parameter_names(layer, direction, True))
            for layer in range(sizes.num_layers)
            for direction in range(sizes.directions)
        ]
        self._network = NETWORKS[self.dtype.name](layers, sizes.directions, _NONLINEARITIES[nonlinearity])

    @classmethod
    def load(cls, path: str | PathLike[str], nonlinearity: str | None = None, batch_first: bool | None = None) -> RNN:
        """Read a network from a safetensors file that :func:`elman.save` wrote.

        Args:
            path: the file.
            nonlinearity, batch_first: for a file that does not say, because something else wrote it.

        Raises:
            InputError: it is no such file, or damaged, or holds no network.
        """
        from elman.runtime._saving import load_rnn

        return load_rnn(path, nonlinearity, batch_first)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network to a safetensors file, as :func:`elman.save` does."""
        from elman.runtime._saving import save

        save(self, path, overwrite=overwrite)

    def to_onnx(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network as an ONNX model, of any batch and number of steps (needs the package ``onnx``).

        Its inputs are ``input`` and ``h_0``, its outputs ``output`` and ``h_n``, shaped as they are here.

        Raises:
            InputError: the file cannot be written, or exists and not ``overwrite``.
        """
        from elman.runtime._onnx.to_onnx import write_rnn

        write_rnn(self, path, overwrite=overwrite)

    def stream(self, batch: int = 1) -> Stream:
        """Return a stream of ``batch`` sequences, to be read step by step from a state of zeros.

        Raises:
            InputError: the network is bidirectional, or ``batch`` no integer of at least 1.
        """
        return Stream(self, batch)

    def __call__(self, x: Any, h_0: Any = None, lengths: Any = None, out: Array | None = None) -> tuple[Array, Array]:
        """Run over whole sequences.

        Args:
            x: (steps, batch, input_size), (batch, steps, input_size) with ``batch_first``, or (steps, input_size).
            h_0: (directions * num_layers, batch, hidden_size), without ``batch`` where ``x`` has none; None: zeros.
            lengths: (batch,) the steps that each sequence has, from 0; None: all. What ``x`` holds beyond is not
                read, and the output there is zero.
            out: an array for the output, of the network's dtype, in any layout whose elements don't overlap; it may
                lie over ``x`` or ``h_0``. None: a fresh one.

        Returns:
            The output, shaped as ``x`` with directions * hidden_size features, and h_n, shaped as ``h_0``, the states
            after each sequence's own last step.

        Raises:
            InputError: an argument is of another shape or dtype.
        """
        if lengths is None and out is None:
            results: tuple[Array, Array] | None = self._network.run_plain(x, h_0, self.batch_first)
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
        states = self.num_layers * self._sizes.directions
        state_shape = (states, batch, self.hidden_size) if batched else (states, self.hidden_size)
        if h_0 is not None:
            h_0 = as_shaped(h_0, "h_0", self.dtype, state_shape, "that of h_n")
        shape = (*x.shape[:-1], self._sizes.directions * self.hidden_size)
        output = np.empty(shape, self.dtype) if out is None else require_out(out, self.dtype, shape)
        written = output
        if out is not None and not _is_fit(output, x, h_0):
            written = np.empty(shape, self.dtype)
        h_n = np.empty(state_shape, self.dtype)

        x_steps, y_steps = (
            array.swapaxes(0, 1) if steps_axis else array if batched else array[:, None] for array in (x, written)
        )
        if lengths is not None:
            if not batched:
                raise InputError(f"lengths: expected None for one sequence without a batch, got {shown(lengths)}")
            self._run_ragged(x_steps, h_0, as_lengths(lengths, batch, steps), y_steps, h_n)
        elif batch:
            self._network.run(x_steps, None, h_0, y_steps, h_n)
        if written is not output:
            output[...] = written
        return output, h_n

    def run_packed(self, rows: Array, batch_sizes: Array, h_0: Array | None = None) -> tuple[Array, Array]:
        """Run over packed sequences: ``batch_sizes[t]`` rows at step t, behind one another, never growing.

        Args:
            rows: (rows, input_size), of the network's dtype.
            batch_sizes: (steps,), int64.
            h_0: (directions * num_layers, batch, hidden_size), contiguous; None: zeros.

        Returns:
            The output (rows, directions * hidden_size), packed alike, and h_n.
        """
        directions = self._sizes.directions
        output = np.empty((len(rows), directions * self.hidden_size), self.dtype)
        h_n = np.empty((directions * self.num_layers, int(batch_sizes[0]), self.hidden_size), self.dtype)
        self._network.run(rows, batch_sizes, h_0, output, h_n)
        return output, h_n

    def _run_ragged(self, x: Array, h_0: Array | None, lengths: Array, output: Array, h_n: Array) -> None:
        packing = Packing.of(lengths)
        output[...] = 0
        h_n[...] = 0 if h_0 is None else h_0
        if not len(packing.order):
            return
        initial = None if h_0 is None else np.ascontiguousarray(h_0[:, packing.order])
        rows, final = self.run_packed(x[packing.steps, packing.places], packing.batch_sizes, initial)
        output[packing.steps, packing.places] = rows
        h_n[:, packing.order] = final

    def __repr__(self) -> str:
        options = [f"num_layers={self.num_layers}"] * (self.num_layers > 1)
        options += [f"nonlinearity={self.nonlinearity!r}"] * (self.nonlinearity != "tanh")
        flags = {"bias": (self.bias, True), "batch_first": (self.batch_first, False)}
        flags["bidirectional"] = (self.bidirectional, False)
        options += [f"{name}={value}" for name, (value, default) in flags.items() if value != default]
        return f"RNN({', '.join([str(self.input_size), str(self.hidden_size), *options, self.dtype.name])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parameters, self.nonlinearity, self.batch_first)


def _is_fit(out: Array, *read: Array | None) -> bool:
    """Whether the engine can write to ``out`` as it is: features behind one another, aligned, and read from nowhere."""
    return (
        out.strides[-1] == out.itemsize
        and out.flags.aligned
        and not any(array is not None and np.may_share_memory(out, array) for array in read)
    )
