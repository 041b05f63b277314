"""Cells written as programs, and calls of the engine with them. Nothing here imports PyTorch."""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from tests.engine.cases import BACKWARD, FORWARD, Array, address, ragged, strides

OPERATIONS = {name: number for name, (number, _) in _engine.operations().items()}
VALUES = _engine.values()
Lists = tuple[list[tuple[int, ...]], list[tuple[int, int]]]


class Listing:
    """Instructions and outputs, one after another: ``add(a, b)`` and the like give the result's value."""

    def __init__(self) -> None:
        self.lists: Lists = ([], [])

    def __getattr__(self, operation: str):
        number = OPERATIONS[operation]

        def append(*arguments: int) -> int:
            self.lists[0].append((number, *arguments))
            return len(self.lists[0]) - 1

        return append

    def give(self, kind: str, value: int, index: int = 0) -> None:
        self.lists[1].append((VALUES[kind] + index, value))

    def fields(self, kind: str, *values: int) -> None:
        for index, value in enumerate(values):
            self.give(kind, value, index)


def the(kind: str, index: int = 0) -> int:
    return VALUES[kind] + index


ONE = the("constant")


@cache
def elman() -> _engine.Program:
    forward, backward = Listing(), Listing()
    forward.give("new_state", forward.tanh(the("sum")))
    h = the("new_state")
    slope = backward.negated_multiply_add(h, h, ONE)
    backward.give("d_sum", backward.multiply(the("d_new_state"), slope))
    return _engine.Program(constants=[1.0], forward=forward.lists, backward=backward.lists)


@cache
def gru() -> _engine.Program:
    do = Listing()
    r, z = do.sigma(the("sum", 0)), do.sigma(the("sum", 1))
    n = do.tanh(do.multiply_add(r, the("from_hidden", 2), the("from_input", 2)))
    do.give("new_state", do.multiply_add(z, do.subtract(the("state"), n), n))
    do.fields("kept", r, z, n, the("from_hidden", 2))

    back, d_h = Listing(), the("d_new_state")
    r, z, n, recurrent_n = (the("kept", i) for i in range(4))
    rest = back.subtract(ONE, z)
    d_n = back.multiply(back.multiply(d_h, rest), back.negated_multiply_add(n, n, ONE))
    d_z = back.multiply(back.multiply(d_h, back.subtract(the("state"), n)), back.multiply(z, rest))
    d_r = back.multiply(back.multiply(d_n, recurrent_n), back.multiply(r, back.subtract(ONE, r)))
    back.fields("d_sum", d_r, d_z)
    back.give("d_from_input", d_n, 2)
    back.give("d_from_hidden", back.multiply(d_n, r), 2)
    back.give("d_state", back.multiply(d_h, z))
    return _engine.Program(gates=3, apart=1, kept=4, constants=[1.0], forward=do.lists, backward=back.lists)


@cache
def lstm() -> _engine.Program:
    do = Listing()
    i, f, g, o = (do.tanh(the("sum", k)) if k == 2 else do.sigma(the("sum", k)) for k in range(4))
    c = do.multiply_add(f, the("state", 1), do.multiply(i, g))
    do.fields("new_state", do.multiply(o, do.tanh(c)), c)
    do.fields("kept", i, f, g, o)

    back, d_h = Listing(), the("d_new_state")
    i, f, g, o = (the("kept", k) for k in range(4))
    squashed = back.tanh(the("new_state", 1))
    d_c = back.multiply_add(
        back.multiply(d_h, o), back.negated_multiply_add(squashed, squashed, ONE), the("d_new_state", 1)
    )

    def through_sigma(d: int, y: int) -> int:
        return back.multiply(d, back.multiply(y, back.subtract(ONE, y)))

    back.fields(
        "d_sum",
        through_sigma(back.multiply(d_c, g), i),
        through_sigma(back.multiply(d_c, the("state", 1)), f),
        back.multiply(back.multiply(d_c, i), back.negated_multiply_add(g, g, ONE)),
        through_sigma(back.multiply(d_h, squashed), o),
    )
    back.give("d_state", back.multiply(d_c, f), 1)
    return _engine.Program(gates=4, states=2, kept=4, constants=[1.0], forward=do.lists, backward=back.lists)


@dataclass
class ProgramCase:
    """One layer and direction, what goes in, and what comes back from outside."""

    program: _engine.Program
    reverse: bool
    batch_sizes: NDArray[np.int64] | None
    batch: int
    input: Array  # (steps, batch, input_size), or packed (rows, input_size)
    input_weights: Array
    recurrent_weights: Array
    input_bias: Array | None
    recurrent_bias: Array | None
    initial_states: Array | None  # (states, batch, hidden_size)
    d_output: Array
    d_final_states: Array | None
    unit_inputs: list[Array] = field(default_factory=list)
    step_inputs: list[Array] = field(default_factory=list)
    row_inputs: list[Array] = field(default_factory=list)

    @property
    def hidden_size(self) -> int:
        return self.recurrent_weights.shape[1]

    @property
    def steps(self) -> int:
        return len(self.input) if self.batch_sizes is None else len(self.batch_sizes)

    @property
    def dtype(self) -> np.dtype:
        return self.input.dtype


def program_case(
    program: _engine.Program,
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
) -> ProgramCase:
    """PyTorch's initial weights over normal numbers; without ``given`` all that may be missing is."""
    generator = np.random.default_rng([seed, input_size, hidden_size, steps, batch])
    rows, limit = program.gates * hidden_size, 1 / np.sqrt(hidden_size)

    def normal(*shape: int) -> Array:
        return generator.standard_normal(shape).astype(dtype)

    def weights(*shape: int) -> Array:
        return generator.uniform(-limit, limit, shape).astype(dtype)

    leading: tuple[int, ...] = (steps, batch)
    batch_sizes = None
    if lengths is not None:
        batch_sizes, batch, leading = np.array(ragged(lengths), np.int64), len(lengths), (sum(lengths),)
    return ProgramCase(
        program=program,
        reverse=reverse,
        batch_sizes=batch_sizes,
        batch=batch,
        input=normal(*leading, input_size),
        input_weights=weights(rows, input_size),
        recurrent_weights=weights(rows, hidden_size),
        input_bias=weights(rows) if given else None,
        recurrent_bias=weights(rows) if given else None,
        initial_states=normal(program.states, batch, hidden_size) if given else None,
        d_output=normal(*leading, hidden_size),
        d_final_states=normal(program.states, batch, hidden_size) if given else None,
        unit_inputs=[normal(hidden_size) for _ in range(program.unit_inputs)],
        step_inputs=[normal(*leading, hidden_size) for _ in range(program.step_inputs)],
        row_inputs=[normal(batch, hidden_size) for _ in range(program.row_inputs)],
    )


def take_rows(this: ProgramCase, rows: slice, steps: slice = slice(None)) -> ProgramCase:
    """Some rows and steps of a padded case."""

    def of_rows(states: Array | None) -> Array | None:
        return None if states is None else states[:, rows].copy()

    return replace(
        this,
        input=this.input[steps, rows].copy(),
        d_output=this.d_output[steps, rows].copy(),
        batch=len(range(this.batch)[rows]),
        initial_states=of_rows(this.initial_states),
        d_final_states=of_rows(this.d_final_states),
        step_inputs=[each[steps, rows].copy() for each in this.step_inputs],
        row_inputs=[each[rows].copy() for each in this.row_inputs],
    )


def _rows(arrays: list[Array]) -> list[tuple[int, int, int]]:
    return [(address(array), *strides(array)[:2]) for array in arrays]


def run(
    this: ProgramCase,
    threads: int = 1,
    keep: bool = True,
    cell: _engine.Cell | None = None,
    further: tuple[str, ...] = ("unit", "step", "row"),
) -> dict[str, Array]:
    """Forward and, where the forward pass keeps what it needs, backward: everything that the engine computes.

    ``cell`` is one of the engine's own, to run instead; ``further`` says which inputs' gradients are asked for.
    """
    input_size, units, dtype, program = this.input.shape[-1], this.hidden_size, this.dtype, this.program
    leading, states, batch = this.input.shape[:-1], program.states, this.batch
    gate_rows = program.gates * units

    def empty(*shape: int) -> Array:
        return np.full(shape, np.nan, dtype)

    def of_states(states: Array | None) -> tuple[int, int]:
        return (0, 0) if states is None else (address(states[0]), address(states[1:]))

    results = {"output": empty(*leading, units), "final_states": empty(states, batch, units)}
    kept = empty(*leading, (program.kept + states - 1) * units) if keep else None
    h_0, c_0 = of_states(this.initial_states)
    inputs = {
        "unit_inputs": [address(each) for each in this.unit_inputs],
        "step_inputs": _rows(this.step_inputs),
        "row_inputs": [address(each) for each in this.row_inputs],
    }
    common = {
        "cell": cell or _engine.Cell.tanh,
        "program": None if cell else program,
        "threads": threads,
        "steps": this.steps,
        "batch": batch,
        "batch_sizes": address(this.batch_sizes),
        "reverse": this.reverse,
        "input_size": input_size,
        "hidden_size": units,
        "input_weights": address(this.input_weights),
        "recurrent_weights": address(this.recurrent_weights),
        "input": address(this.input),
        **dict(zip(("input_step", "input_row", "input_feature"), strides(this.input), strict=True)),
        "initial_state": h_0,
        "initial_cell_state": c_0,
        "cell_states_apart": batch * units,
        "output": address(results["output"]),
        **dict(zip(("output_step", "output_row"), strides(results["output"])[:2], strict=True)),
        "kept": address(kept),
        **(inputs if not cell else {}),
    }
    h_n, c_n = of_states(results["final_states"])
    FORWARD[dtype.name](
        **common,
        input_bias=address(this.input_bias),
        recurrent_bias=address(this.recurrent_bias),
        final_state=h_n,
        final_cell_state=c_n,
    )
    if not keep:
        return results
    gradients = {
        "d_input": empty(*this.input.shape),
        "d_initial_states": empty(states, batch, units),
        "d_input_weights": empty(gate_rows, input_size),
        "d_recurrent_weights": empty(gate_rows, units),
        "d_bias": empty(gate_rows),
        "d_recurrent_bias": empty(gate_rows),
    }
    d_inputs = {
        kind: [empty(*each.shape) for each in getattr(this, f"{kind}_inputs")] if kind in further else []
        for kind in ("unit", "step", "row")
    }
    d_h_n, d_c_n = of_states(this.d_final_states)
    d_h_0, d_c_0 = of_states(gradients["d_initial_states"])
    asked = {
        "d_unit_inputs": [address(each) for each in d_inputs["unit"]],
        "d_step_inputs": _rows(d_inputs["step"]),
        "d_row_inputs": [address(each) for each in d_inputs["row"]],
    }
    BACKWARD[dtype.name](
        **common,
        d_output=address(this.d_output),
        **dict(zip(("d_output_step", "d_output_row", "d_output_feature"), strides(this.d_output), strict=True)),
        d_final_state=d_h_n,
        d_final_cell_state=d_c_n,
        **dict(zip(("d_input_step", "d_input_row"), strides(gradients["d_input"])[:2], strict=True)),
        add_to_d_input=False,
        d_initial_state=d_h_0,
        d_initial_cell_state=d_c_0,
        **{name: address(each) for name, each in gradients.items() if name != "d_initial_states"},
        **(asked if not cell else {}),
    )
    of_inputs = {f"d_{kind}_input_{i}": each for kind, all_ in d_inputs.items() for i, each in enumerate(all_)}
    return results | gradients | of_inputs


@cache
def leaky() -> _engine.Program:
    """h_t = (1 - leak) h_{t-1} + leak tanh(a_t) with a leak a unit."""
    do, leak = Listing(), the("unit_input")
    squashed = do.tanh(the("sum"))
    do.give("new_state", do.multiply_add(leak, do.subtract(squashed, the("state")), the("state")))
    do.give("kept", squashed)

    back, d_h, squashed = Listing(), the("d_new_state"), the("kept")
    d_squashed = back.multiply(d_h, leak)
    back.give("d_sum", back.multiply(d_squashed, back.negated_multiply_add(squashed, squashed, ONE)))
    back.give("d_state", back.subtract(d_h, d_squashed))
    back.give("d_unit_input", back.multiply(d_h, back.subtract(squashed, the("state"))))
    return _engine.Program(kept=1, unit_inputs=1, constants=[1.0], forward=do.lists, backward=back.lists)


@cache
def normalised(hidden_size: int) -> _engine.Program:
    """h_t = tanh(gain (a_t - mean) / sqrt(variance + 1e-5) + shift), mean and variance over the units of a row."""
    one, part, epsilon = (the("constant", i) for i in range(3))
    gain, shift = the("unit_input"), the("unit_input", 1)
    do = Listing()
    centred = do.subtract(the("sum"), do.multiply(do.row_sum(the("sum")), part))
    variance = do.multiply(do.row_sum(do.multiply(centred, centred)), part)
    inverse = do.divide(one, do.sqrt(do.add(variance, epsilon)))
    normal = do.multiply(centred, inverse)
    do.give("new_state", do.tanh(do.multiply_add(normal, gain, shift)))
    do.fields("kept", normal, inverse)

    back, h = Listing(), the("new_state")
    normal, inverse = the("kept"), the("kept", 1)
    d_inner = back.multiply(the("d_new_state"), back.negated_multiply_add(h, h, one))
    d_normal = back.multiply(d_inner, gain)
    mean = back.multiply(back.row_sum(d_normal), part)
    along = back.multiply(back.row_sum(back.multiply(d_normal, normal)), part)
    d_sum = back.negated_multiply_add(normal, along, back.subtract(d_normal, mean))
    back.give("d_sum", back.multiply(d_sum, inverse))
    back.fields("d_unit_input", back.multiply(d_inner, normal), d_inner)
    constants = [1.0, 1 / hidden_size, 1e-5]
    return _engine.Program(kept=2, unit_inputs=2, constants=constants, forward=do.lists, backward=back.lists)


@cache
def voltage() -> _engine.Program:
    """v_t = v_{t-1} + (a_t - v_{t-1}) / 4, of which r_t = tanh(v_t) is fed back."""
    quarter, zero = the("constant", 1), the("constant", 2)
    do = Listing()
    v = do.multiply_add(quarter, do.subtract(the("sum"), the("state")), the("state"))
    do.fields("new_state", v, do.tanh(v))

    back, r = Listing(), the("new_state", 1)
    slope = back.negated_multiply_add(r, r, ONE)
    d_v = back.multiply_add(the("d_new_state", 1), slope, the("d_new_state"))
    d_sum = back.multiply(quarter, d_v)
    back.give("d_sum", d_sum)
    back.fields("d_state", back.subtract(d_v, d_sum), zero)
    constants = [1.0, 0.25, 0.0]
    return _engine.Program(states=2, fed_back=1, constants=constants, forward=do.lists, backward=back.lists)


@cache
def three_states() -> _engine.Program:
    """h, c and d with noise by step and a mask by row; c and d exchange, so that each is read after the other's turn.

    c_t = d_{t-1} + noise, d_t = mask c_{t-1} + tanh(a), h_t = sigma(v) h_{t-1} + u c_t - d_t
    """
    noise, mask = the("step_input"), the("row_input")
    do = Listing()
    squashed, gate = do.tanh(the("sum")), do.sigma(the("from_hidden", 1))
    c = do.add(the("state", 2), noise)
    d = do.multiply_add(mask, the("state", 1), squashed)
    h = do.multiply_add(gate, the("state"), do.subtract(do.multiply(the("from_input", 1), c), d))
    do.fields("new_state", h, c, d)
    do.fields("kept", squashed, gate, the("from_input", 1))

    back, d_h = Listing(), the("d_new_state")
    squashed, gate, u = (the("kept", i) for i in range(3))
    d_c = back.multiply_add(d_h, u, the("d_new_state", 1))
    d_d = back.subtract(the("d_new_state", 2), d_h)
    back.give("d_sum", back.multiply(d_d, back.negated_multiply_add(squashed, squashed, ONE)))
    back.give("d_from_input", back.multiply(d_h, the("new_state", 1)), 1)
    slope = back.multiply(gate, back.subtract(ONE, gate))
    back.give("d_from_hidden", back.multiply(back.multiply(d_h, the("state")), slope), 1)
    back.fields("d_state", back.multiply(d_h, gate), back.multiply(d_d, mask), d_c)
    back.give("d_step_input", d_c)
    back.give("d_row_input", back.multiply(d_d, the("state", 1)))
    return _engine.Program(
        gates=2,
        apart=1,
        states=3,
        kept=3,
        step_inputs=1,
        row_inputs=1,
        constants=[1.0],
        forward=do.lists,
        backward=back.lists,
    )
