"""Calls of the engine with NumPy arrays, and the same equations in plain NumPy to hold it to.

Nothing here imports PyTorch: a sanitized engine is tested with these modules alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from elman import _engine

Array = NDArray[np.floating]
Product = Callable[[Array, Array], Array]

FORWARD = {"float32": _engine.forward_float32, "float64": _engine.forward_float64}
BACKWARD = {"float32": _engine.backward_float32, "float64": _engine.backward_float64}
NONLINEARITY = {False: _engine.Cell.tanh, True: _engine.Cell.relu}
GRADIENTS = ("d_input", "d_initial_state", "d_input_weights", "d_recurrent_weights", "d_bias")


@dataclass
class Case:
    """One layer and direction, what goes in, and what comes back from outside."""

    relu: bool
    reverse: bool
    batch_sizes: NDArray[np.int64] | None
    input: Array  # (steps, batch, input_size), or packed (rows, input_size)
    input_weights: Array
    recurrent_weights: Array
    input_bias: Array | None
    recurrent_bias: Array | None
    initial_state: Array | None
    d_output: Array | None
    d_final_state: Array | None
    batch: int

    @property
    def steps(self) -> int:
        return len(self.input) if self.batch_sizes is None else len(self.batch_sizes)

    @property
    def dtype(self) -> np.dtype:
        return self.input_weights.dtype

    @property
    def sizes(self) -> tuple[int, int]:
        hidden_size, input_size = self.input_weights.shape
        return input_size, hidden_size

    def rows(self) -> list[slice]:
        """The packed rows of every step."""
        sizes = [self.batch] * self.steps if self.batch_sizes is None else self.batch_sizes.tolist()
        return [slice(first, end) for first, end in pairwise([0, *np.cumsum(sizes).tolist()])]

    def arrays(self) -> Iterator[tuple[str, Array]]:
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                yield name, value


def case(
    input_size: int,
    hidden_size: int,
    steps: int,
    batch: int,
    *,
    dtype: str = "float32",
    relu: bool = False,
    reverse: bool = False,
    batch_sizes: list[int] | None = None,
    biases: bool = True,
    initial_state: bool = True,
    d_output: bool = True,
    d_final_state: bool = True,
    seed: int = 0,
) -> Case:
    """A layer with PyTorch's initial weights over normal numbers. ``batch_sizes`` stand in for steps and batch."""
    generator = np.random.default_rng([seed, input_size, hidden_size, steps, batch])
    limit = 1 / np.sqrt(hidden_size)

    def normal(*shape: int) -> Array:
        return generator.standard_normal(shape).astype(dtype)

    def weights(*shape: int) -> Array:
        return generator.uniform(-limit, limit, shape).astype(dtype)

    leading = (steps, batch)
    if batch_sizes is not None:
        leading, batch = (sum(batch_sizes),), batch_sizes[0]
    return Case(
        relu=relu,
        reverse=reverse,
        batch_sizes=None if batch_sizes is None else np.array(batch_sizes, np.int64),
        input=normal(*leading, input_size),
        input_weights=weights(hidden_size, input_size),
        recurrent_weights=weights(hidden_size, hidden_size),
        input_bias=weights(hidden_size) if biases else None,
        recurrent_bias=weights(hidden_size) if biases else None,
        initial_state=normal(batch, hidden_size) if initial_state else None,
        d_output=normal(*leading, hidden_size) if d_output else None,
        d_final_state=normal(batch, hidden_size) if d_final_state else None,
        batch=batch,
    )


def ragged(lengths: list[int]) -> list[int]:
    """The batch sizes of sequences of these lengths."""
    return [sum(length > step for length in lengths) for step in range(max(lengths))]


# The engine.


def address(array: np.ndarray | None) -> int:
    """Null for an empty array too, as it is in PyTorch."""
    return 0 if array is None or not array.size else array.ctypes.data


def strides(array: Array | None) -> tuple[int, int, int]:
    """Of steps, rows and features, in elements."""
    if array is None:
        return 0, 0, 0
    if not array.size:  # PyTorch counts an empty dimension as one
        return max(1, array.shape[-2]), 1, 1
    *step, row, feature = (stride // array.itemsize for stride in array.strides)
    return step[0] if step else 0, row, feature


def sequence(this: Case) -> tuple[int, int, int, bool]:
    return this.steps, this.batch, address(this.batch_sizes), this.reverse


def forward(this: Case, threads: int = 1, output: Array | None = None, final: Array | None = None):
    """The output and the final state; written into ``output``, a view of any row stride, where it is given."""
    input_size, hidden_size = this.sizes
    if output is None:
        output = np.full((*this.input.shape[:-1], hidden_size), np.nan, this.dtype)
    if final is None:
        final = np.full((this.batch, hidden_size), np.nan, this.dtype)
    FORWARD[this.dtype.name](
        NONLINEARITY[this.relu],
        threads,
        *sequence(this),
        input_size,
        hidden_size,
        *map(address, (this.input_weights, this.recurrent_weights, this.input_bias, this.recurrent_bias, this.input)),
        *strides(this.input),
        address(this.initial_state),
        address(output),
        *strides(output)[:2],
        address(final),
    )
    return output, final


def backward(
    this: Case,
    output: Array,
    threads: int = 1,
    wanted: tuple[str, ...] = GRADIENTS,
    add_to_d_input: bool = False,
    into: dict[str, Array] | None = None,
) -> dict[str, Array]:
    """The gradients wanted; written into arrays of ``into`` where it has them."""
    input_size, hidden_size = this.sizes
    shapes = (
        (*this.input.shape[:-1], input_size),
        (this.batch, hidden_size),
        (hidden_size, input_size),
        (hidden_size, hidden_size),
        (hidden_size,),
    )
    results = {
        name: np.full(shape, np.nan, this.dtype)
        for name, shape in zip(GRADIENTS, shapes, strict=True)
        if name in wanted
    }
    results |= into or {}
    BACKWARD[this.dtype.name](
        NONLINEARITY[this.relu],
        threads,
        *sequence(this),
        input_size,
        hidden_size,
        *map(address, (this.input_weights, this.recurrent_weights, this.input)),
        *strides(this.input),
        *map(address, (this.initial_state, output)),
        *strides(output)[:2],
        address(this.d_output),
        *strides(this.d_output),
        *map(address, (this.d_final_state, results.get("d_input"))),
        *strides(results.get("d_input"))[:2],
        add_to_d_input,
        *(address(results.get(name)) for name in GRADIENTS[1:]),
    )
    return results


def run(this: Case, threads: int = 1) -> dict[str, Array]:
    """Forward, then backward through it: everything that the engine computes."""
    output, final = forward(this, threads)
    return {"output": output, "final_state": final, **backward(this, output, threads)}


# The equations.


def exact(this: Case) -> Case:
    """The same in float64."""
    return replace(this, **{name: array.astype(float) for name, array in this.arrays() if name != "batch_sizes"})


def forward_by_equations(this: Case, product: Product = np.matmul) -> tuple[Array, Array]:
    """a_t = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}, h_t = f(a_t), each sum by ``product``."""
    input_size, hidden_size = this.sizes
    rows = this.rows()
    x = this.input.reshape(rows[-1].stop, input_size)
    nothing = np.zeros(hidden_size, this.dtype)
    bias = sum((b for b in (this.input_bias, this.recurrent_bias) if b is not None), nothing)
    state = np.zeros((this.batch, hidden_size), this.dtype)
    if this.initial_state is not None:
        state[:] = this.initial_state
    output = np.empty((rows[-1].stop, hidden_size), this.dtype)
    for at in rows[:: -1 if this.reverse else 1]:
        active = slice(at.stop - at.start)
        u, v = product(x[at], this.input_weights.T), product(state[active], this.recurrent_weights.T)
        a = (u + bias) + v
        state[active] = output[at] = np.where(a <= 0, 0, a) if this.relu else np.tanh(a)
    return output.reshape(*this.input.shape[:-1], hidden_size), state


def backward_by_equations(
    this: Case,
    output: Array,
    product: Product = np.matmul,
    product_over_rows: Product = np.matmul,
    sum_over_rows: Callable[[Array], Array] = lambda deltas: deltas.sum(0),
) -> dict[str, Array]:
    """BPTT read off an output: d_t = (g_t + W_hh^T d_{t+1}) * f'(h_t), and the sums of it."""
    input_size, hidden_size = this.sizes
    rows = this.rows()[:: -1 if this.reverse else 1]
    h = output.reshape(-1, hidden_size).astype(this.dtype)
    x = this.input.reshape(len(h), input_size)
    g = np.zeros_like(h) if this.d_output is None else this.d_output.reshape(h.shape)
    states = np.zeros((this.batch, hidden_size), this.dtype)
    carried = states.copy() if this.d_final_state is None else this.d_final_state.copy()
    if this.initial_state is not None:
        states[:] = this.initial_state
    previous = np.empty_like(h)  # of each row: h_{t-1}
    for at in rows:
        active = slice(at.stop - at.start)
        previous[at], states[active] = states[active], h[at]
    d_input = np.empty((len(x), input_size), this.dtype)
    deltas, reached = [], []
    for at in rows[::-1]:
        active = slice(at.stop - at.start)
        d = g[at] + carried[active]
        d = np.where(h[at] <= 0, 0, d) if this.relu else d * (1 - h[at] * h[at])
        deltas.append(d)
        reached.append(np.arange(at.start, at.stop))
        carried[active] = product(d, this.recurrent_weights)
        d_input[at] = product(d, this.input_weights)
    d, order = np.concatenate(deltas), np.concatenate(reached)
    return {
        "d_input": d_input.reshape(this.input.shape),
        "d_initial_state": carried,
        "d_input_weights": product_over_rows(d.T, x[order]),
        "d_recurrent_weights": product_over_rows(d.T, previous[order]),
        "d_bias": sum_over_rows(d),
    }


# Comparisons.


def assert_close(results: dict[str, Array], expected: dict[str, Array], what: object = "") -> None:
    """Within the rounding of sums as long as these tests have."""
    for name, result in results.items():
        if not result.size:
            continue
        scale = 1 + np.abs(expected[name]).max()
        worst = np.abs(result - expected[name]).max() / (scale * np.finfo(result.dtype).eps)
        assert worst < 64, f"{name} is off by {worst:.0f} eps {what}"


def assert_equations_hold(this: Case, threads: int = 1) -> None:
    output, final = forward(this, threads)
    expected_output, expected_final = forward_by_equations(exact(this))
    what = f"{this.sizes=} {this.input.shape=} {this.dtype=} {this.relu=} {this.reverse=}"
    assert_close({"output": output, "h_n": final}, {"output": expected_output, "h_n": expected_final}, what)
    assert_close(backward(this, output, threads), backward_by_equations(exact(this), output.astype(float)), what)


def assert_same_bits(results: dict[str, Array], expected: dict[str, Array], what: object = "") -> None:
    for name, result in results.items():
        assert result.dtype == expected[name].dtype
        assert result.shape == expected[name].shape
        same = np.ascontiguousarray(result).tobytes() == np.ascontiguousarray(expected[name]).tobytes()
        assert same, f"{name} differs {what}"
