"""Calls of the engine with cells of several gates, and their equations in plain NumPy. Nothing here imports PyTorch."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from tests.engine.cases import BACKWARD, FORWARD, Array, address, ragged, strides

CELLS = {"gru": _engine.Cell.gru, "lstm": _engine.Cell.lstm}
GATES = {"gru": 3, "lstm": 4}
KEPT = {"gru": 4, "lstm": 5}
GRADIENTS = (
    "d_input",
    "d_initial_state",
    "d_initial_cell_state",
    "d_input_weights",
    "d_recurrent_weights",
    "d_bias",
    "d_recurrent_bias",
)


@dataclass
class GatedCase:
    """One layer and direction, what goes in, and what comes back from outside."""

    cell: str
    reverse: bool
    batch_sizes: NDArray[np.int64] | None
    batch: int
    input: Array  # (steps, batch, input_size), or packed (rows, input_size)
    input_weights: Array
    recurrent_weights: Array
    input_bias: Array | None
    recurrent_bias: Array | None
    initial_state: Array | None
    initial_cell_state: Array | None
    d_output: Array | None
    d_final_state: Array | None
    d_final_cell_state: Array | None

    @property
    def hidden_size(self) -> int:
        return self.recurrent_weights.shape[1]

    @property
    def steps(self) -> int:
        return len(self.input) if self.batch_sizes is None else len(self.batch_sizes)

    @property
    def dtype(self) -> np.dtype:
        return self.input.dtype

    def rows(self) -> list[slice]:
        """The packed rows of every step, in the order of the direction."""
        sizes = [self.batch] * self.steps if self.batch_sizes is None else self.batch_sizes.tolist()
        rows = [slice(first, end) for first, end in pairwise([0, *np.cumsum(sizes).tolist()])]
        return rows[:: -1 if self.reverse else 1]


def gated_case(
    cell: str,
    input_size: int,
    hidden_size: int,
    steps: int,
    batch: int,
    *,
    dtype: str = "float32",
    reverse: bool = False,
    lengths: list[int] | None = None,
    given: bool = True,
    seed: int = 0,
) -> GatedCase:
    """PyTorch's initial weights over normal numbers; without ``given`` all that may be missing is."""
    generator = np.random.default_rng([seed, input_size, hidden_size, steps, batch])
    rows, limit = GATES[cell] * hidden_size, 1 / np.sqrt(hidden_size)

    def normal(*shape: int) -> Array:
        return generator.standard_normal(shape).astype(dtype)

    def weights(*shape: int) -> Array:
        return generator.uniform(-limit, limit, shape).astype(dtype)

    leading: tuple[int, ...] = (steps, batch)
    batch_sizes = None
    if lengths is not None:
        batch_sizes, batch = np.array(ragged(lengths), np.int64), len(lengths)
        leading = (sum(lengths),)
    has_cell = cell == "lstm"
    return GatedCase(
        cell=cell,
        reverse=reverse,
        batch_sizes=batch_sizes,
        batch=batch,
        input=normal(*leading, input_size),
        input_weights=weights(rows, input_size),
        recurrent_weights=weights(rows, hidden_size),
        input_bias=weights(rows) if given else None,
        recurrent_bias=weights(rows) if given else None,
        initial_state=normal(batch, hidden_size) if given else None,
        initial_cell_state=normal(batch, hidden_size) if given and has_cell else None,
        d_output=normal(*leading, hidden_size),
        d_final_state=normal(batch, hidden_size) if given else None,
        d_final_cell_state=normal(batch, hidden_size) if given and has_cell else None,
    )


def run(this: GatedCase, threads: int = 1, keep: bool = True) -> dict[str, Array]:
    """Forward and, where the forward pass keeps what it needs, backward: everything that the engine computes."""
    input_size, units, dtype = this.input.shape[-1], this.hidden_size, this.dtype
    leading = this.input.shape[:-1]
    has_cell = this.cell == "lstm"
    rows = GATES[this.cell] * units

    def empty(*shape: int) -> Array:
        return np.full(shape, np.nan, dtype)

    results = {"output": empty(*leading, units), "final_state": empty(this.batch, units)}
    if has_cell:
        results["final_cell_state"] = empty(this.batch, units)
    kept = empty(*leading, KEPT[this.cell] * units) if keep else None
    common = {
        "cell": CELLS[this.cell],
        "threads": threads,
        "steps": this.steps,
        "batch": this.batch,
        "batch_sizes": address(this.batch_sizes),
        "reverse": this.reverse,
        "input_size": input_size,
        "hidden_size": units,
        "input_weights": address(this.input_weights),
        "recurrent_weights": address(this.recurrent_weights),
        "input": address(this.input),
        **dict(zip(("input_step", "input_row", "input_feature"), strides(this.input), strict=True)),
        "initial_state": address(this.initial_state),
        "initial_cell_state": address(this.initial_cell_state),
        "output": address(results["output"]),
        **dict(zip(("output_step", "output_row"), strides(results["output"])[:2], strict=True)),
        "kept": address(kept),
    }
    FORWARD[dtype.name](
        **common,
        input_bias=address(this.input_bias),
        recurrent_bias=address(this.recurrent_bias),
        final_state=address(results["final_state"]),
        final_cell_state=address(results.get("final_cell_state")),
    )
    if not keep:
        return results
    shapes = [this.input.shape, *[(this.batch, units)] * 2, (rows, input_size), (rows, units), (rows,), (rows,)]
    gradients = {name: empty(*shape) for name, shape in zip(GRADIENTS, shapes, strict=True)}
    if not has_cell:
        del gradients["d_initial_cell_state"]
    BACKWARD[dtype.name](
        **common,
        d_output=address(this.d_output),
        **dict(zip(("d_output_step", "d_output_row", "d_output_feature"), strides(this.d_output), strict=True)),
        d_final_state=address(this.d_final_state),
        d_final_cell_state=address(this.d_final_cell_state),
        **dict(zip(("d_input_step", "d_input_row"), strides(gradients["d_input"])[:2], strict=True)),
        add_to_d_input=False,
        **{name: address(gradients.get(name)) for name in GRADIENTS},
    )
    return results | gradients


def sigma(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def by_equations(this: GatedCase) -> dict[str, Array]:
    """The same in float64, step by step, gate by gate."""
    units, batch, has_cell = this.hidden_size, this.batch, this.cell == "lstm"

    def exact(array: Array | None, *shape: int) -> Array:
        return np.zeros(shape) if array is None else array.astype(float).reshape(shape)

    all_rows = max(rows.stop for rows in this.rows())
    gate_rows = GATES[this.cell] * units
    x, g = exact(this.input, all_rows, this.input.shape[-1]), exact(this.d_output, all_rows, units)
    w_ih, w_hh = this.input_weights.astype(float), this.recurrent_weights.astype(float)
    b_ih, b_hh = exact(this.input_bias, gate_rows), exact(this.recurrent_bias, gate_rows)
    h, c = exact(this.initial_state, batch, units), exact(this.initial_cell_state, batch, units)

    output, taken = np.empty((all_rows, units)), []
    for rows in this.rows():
        active = slice(rows.stop - rows.start)
        h_before, c_before = h[active].copy(), c[active].copy()
        u, v = x[rows] @ w_ih.T + b_ih, h_before @ w_hh.T + b_hh
        if has_cell:
            i, f, candidate, o = np.split(u + v, 4, axis=1)
            i, f, candidate, o = sigma(i), sigma(f), np.tanh(candidate), sigma(o)
            c[active] = f * c_before + i * candidate
            h[active] = o * np.tanh(c[active])
            gates = (i, f, candidate, o, c[active].copy())
        else:
            (u_r, u_z, u_n), (v_r, v_z, v_n) = np.split(u, 3, axis=1), np.split(v, 3, axis=1)
            r, z = sigma(u_r + v_r), sigma(u_z + v_z)
            n = np.tanh(u_n + r * v_n)
            h[active] = (1 - z) * n + z * h_before
            gates = (r, z, n, v_n)
        output[rows] = h[active]
        taken.append((rows, h_before, c_before, gates))

    results = {"output": output.reshape(*this.input.shape[:-1], units), "final_state": h, "final_cell_state": c}
    d_h, d_c = exact(this.d_final_state, batch, units), exact(this.d_final_cell_state, batch, units)
    d_x, d_w_ih, d_w_hh = np.empty_like(x), np.zeros_like(w_ih), np.zeros_like(w_hh)
    d_b_ih, d_b_hh = np.zeros(gate_rows), np.zeros(gate_rows)
    for rows, h_before, c_before, gates in reversed(taken):
        active = slice(rows.stop - rows.start)
        d_h_t = g[rows] + d_h[active]
        if has_cell:
            i, f, candidate, o, c_t = gates
            d_c_t = d_c[active] + d_h_t * o * (1 - np.tanh(c_t) ** 2)
            d_u = np.concatenate(
                [
                    d_c_t * candidate * i * (1 - i),
                    d_c_t * c_before * f * (1 - f),
                    d_c_t * i * (1 - candidate**2),
                    d_h_t * np.tanh(c_t) * o * (1 - o),
                ],
                axis=1,
            )
            d_v, past = d_u, 0
            d_c[active] = d_c_t * f
        else:
            r, z, n, v_n = gates
            d_n = d_h_t * (1 - z) * (1 - n**2)
            d_r, d_z = d_n * v_n * r * (1 - r), d_h_t * (h_before - n) * z * (1 - z)
            d_u, d_v = np.concatenate([d_r, d_z, d_n], axis=1), np.concatenate([d_r, d_z, d_n * r], axis=1)
            past = d_h_t * z
        d_h[active] = d_v @ w_hh + past
        d_x[rows] = d_u @ w_ih
        d_w_ih += d_u.T @ x[rows]
        d_w_hh += d_v.T @ h_before
        d_b_ih += d_u.sum(0)
        d_b_hh += d_v.sum(0)
    gradients = (d_x.reshape(this.input.shape), d_h, d_c, d_w_ih, d_w_hh, d_b_ih, d_b_hh)
    return results | dict(zip(GRADIENTS, gradients, strict=True))
