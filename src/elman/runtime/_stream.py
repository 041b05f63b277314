"""Step by step: the state is kept between calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from elman._errors import InputError, about, shown
from elman.runtime._arrays import Array, as_array, as_count, as_flags, as_shaped, require_out

if TYPE_CHECKING:
    from elman.runtime._network import Network

__all__ = ["Stream"]


class Stream:
    """A batch of sequences that a network reads step by step, to the bits of the whole sequence.

    One thread at a time may use a stream; any number of streams may share a network.

    Args:
        rnn: an :class:`RNN`, :class:`GRU`, :class:`LSTM` or :class:`Recurrent` in one direction.
        batch: how many sequences are read side by side.

    Raises:
        InputError: the network is bidirectional, or ``batch`` no integer of at least 1.

    Example:
        >>> import numpy as np, elman
        >>> rnn = elman.runtime.RNN({"weight_ih_l0": np.ones((1, 1)), "weight_hh_l0": np.ones((1, 1))}, "relu")
        >>> stream = rnn.stream()
        >>> [float(stream.step([x])[0]) for x in (1.0, 2.0, 3.0)]
        [1.0, 3.0, 6.0]
    """

    def __init__(self, rnn: Network, batch: int = 1) -> None:
        if rnn.bidirectional:
            raise InputError(
                "stream: expected a network in one direction, got a bidirectional one, which begins at the last step "
                "and can only read whole sequences"
            )
        self.rnn, self.batch = rnn, as_count(batch, "batch")
        # the conversion knows sizes alone: what the engine's object holds, no garbage collector sees
        convert = partial(_convert, rnn.dtype, self.batch, rnn.input_size, rnn.output_size)
        self._stream: Any = rnn._make_stream(self.batch, convert)
        # the engine's own method: a frame of Python around it would be a fifth of a small step's time
        if type(self).step is Stream.step:
            self.step = self._stream.step  # type: ignore[method-assign]

    def step(self, x_t: Any, out: Array | None = None, reset: Any = None) -> Array:
        """Read one step and return the last layer's output after it.

        Args:
            x_t: (batch, input_size), or (input_size,) in a batch of one.
            out: a C-contiguous array for the result; None: a fresh one.
            reset: booleans (batch,), or one for all: the sequences that begin anew before this step, from the learned
                initial state, or zeros. None: none does.

        Returns:
            (batch, hidden_size), or (hidden_size,) where ``x_t`` has no batch.

        Raises:
            InputError: an argument is of another shape or dtype; the state stays as it was.
        """
        result: Array = self._stream.step(x_t, out, reset)
        return result

    @property
    def state(self) -> Any:
        """The states after the last step, a copy; can be set.

        h (num_layers, batch, hidden_size), where layers differ in width a tuple of arrays (1, batch, hidden_size), one
        a layer; of an LSTM (h, c), of a cell with several states of its own all of them, each so.
        """
        states = np.stack(self.rnn.states_form.empty(self.batch))
        self._stream.read_states(states)
        return self.rnn.states_form.given(tuple(states), self.batch)

    @state.setter
    def state(self, value: Any) -> None:
        form = self.rnn.states_form
        words = f"({'num_layers' if form.is_even else 1}, batch, hidden_size)"
        with about("state"):
            states = form.read(value, "state", form.letters, self.batch, words)
        self._stream.write_states(np.stack(states))

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Let sequences begin anew, from the learned initial state, or zeros.

        Args:
            rows: the places of those in the batch, or a mask (batch,); None: all.

        Raises:
            InputError: there is no such place.
        """
        begin = np.ones(self.batch, bool)
        if rows is not None:
            begin[...] = False
            begin[_places(rows, self.batch)] = True
        self._stream.reset(begin)

    def copy(self) -> Stream:
        """Return another stream of the same network in the same state."""
        return _restored(type(self), self.rnn, self.batch, self.state)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.rnn, self.batch, self.state)

    def __repr__(self) -> str:
        return f"Stream({self.rnn!r}, batch={self.batch})"


def _convert(
    dtype: np.dtype[Any],
    batch: int,
    input_size: int,
    output_size: int,
    stream: Any,
    x_t: Any,
    out: Array | None,
    reset: Any,
) -> Array:
    """One step whose arguments are not arrays that the engine can read and write as they are."""
    x_t = as_array(x_t, "x_t", dtype)
    leading = () if batch == 1 and x_t.ndim == 1 else (batch,)
    x_t = as_shaped(x_t, "x_t", dtype, (*leading, input_size), "(batch, input_size)")
    if out is not None:
        require_out(out, dtype, (*leading, output_size))
    if reset is not None:
        flags = as_array(reset, "reset")
        flags = as_flags(flags, "reset", (batch,) if flags.ndim else (), "(batch,)")
        reset = np.array(np.broadcast_to(flags, batch))
    result: Array = stream.step(x_t, None, reset)
    if out is None:
        return result
    out[...] = result
    return out


def _places(rows: Any, batch: int) -> Array:
    """Return what picks rows from a batch: places, negative ones from its end, or a mask."""
    refused = InputError(f"rows: expected places from 0 to {batch - 1} in the batch, got {shown(rows)}")
    try:
        places = as_array(rows, "rows")
    except InputError:
        raise refused from None
    if places.dtype == np.bool_ and places.shape == (batch,):
        return places
    if places.ndim != 1 or (places.size and places.dtype.kind not in "iu"):
        raise refused
    if not all(-batch <= place < batch for place in places.tolist()):
        raise refused
    return places.astype(np.int64)


def _restored(kind: type[Stream], rnn: Network, batch: int, state: Any) -> Stream:
    stream = kind(rnn, batch)
    stream.state = state
    return stream
