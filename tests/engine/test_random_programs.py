"""Programs drawn at random beside what their lists say, carried out value by value in NumPy."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import _engine
from tests.engine.cases import Array, assert_same_bits
from tests.engine.programs import OPERATIONS, VALUES, Lists, ProgramCase, program_case, run, the

pytestmark = pytest.mark.usefixtures("level")

DO = {
    "copy": lambda a: a,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "multiply_add": lambda a, b, c: a * b + c,
    "negated_multiply_add": lambda a, b, c: c - a * b,
    "negate": np.negative,
    "absolute": np.abs,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "tanh": np.tanh,
    "sigma": lambda a: 1 / (1 + np.exp(-a)),
    "softplus": lambda a: np.logaddexp(0, a),
    "relu": lambda a: np.maximum(a, 0),
    "row_sum": lambda a: np.broadcast_to(a.sum(-1, keepdims=True), a.shape),
}
ARGUMENTS = {name: arguments for name, (_, arguments) in _engine.operations().items()}
NAMES = {number: name for name, number in OPERATIONS.items()}


@st.composite
def lists(draw, readable: dict[str, range], given: dict[str, range]) -> Lists:
    """Any instructions, and outputs that are bounded: states and gradients that only grow would say little."""
    values = [the(kind, index) for kind, all_ in readable.items() for index in all_]
    instructions: list[tuple[int, ...]] = []
    for _ in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from(sorted(DO)))
        instructions.append((OPERATIONS[name], *(draw(st.sampled_from(values)) for _ in range(ARGUMENTS[name]))))
        if "multiply" in name or name == "row_sum":  # products of products would lose all digits
            instructions.append((OPERATIONS["tanh"], len(instructions) - 1))
        values.append(len(instructions) - 1)
    bounded = []
    for value in draw(st.lists(st.sampled_from(values), min_size=1, max_size=4)):
        instructions.append((OPERATIONS["tanh"], value))
        bounded.append(len(instructions) - 1)
    bounded += [value for value in values if value // 1024 in (VALUES["state"] // 1024, VALUES["d_new_state"] // 1024)]
    outputs = [(the(kind, index), draw(st.sampled_from(bounded))) for kind, all_ in given.items() for index in all_]
    return instructions, draw(st.permutations(outputs))


@st.composite
def programs(draw) -> dict:
    gates = draw(st.integers(1, 3))
    sizes = {
        "gates": gates,
        "apart": draw(st.integers(0, gates)),
        "states": (states := draw(st.integers(1, 3))),
        "fed_back": draw(st.integers(0, states - 1)),
        "kept": draw(st.integers(0, 3)),
        **{f"{kind}_inputs": draw(st.integers(0, 2)) for kind in ("unit", "step", "row")},
    }
    added, apart = range(gates - sizes["apart"]), range(gates - sizes["apart"], gates)
    states, kept = range(sizes["states"]), range(sizes["kept"])
    inputs = {f"{kind}_input": range(sizes[f"{kind}_inputs"]) for kind in ("unit", "step", "row")}
    always = {"constant": range(2), "state": states, **inputs}
    forward = lists(
        {**always, "sum": added, "from_input": apart, "from_hidden": apart}, {"new_state": states, "kept": kept}
    )
    backward = lists(
        {**always, "new_state": states, "kept": kept, "d_new_state": states},
        {
            "d_sum": added,
            "d_from_input": apart,
            "d_from_hidden": apart,
            "d_state": states if draw(st.booleans()) else states[1:],
            **{f"d_{kind}": all_ for kind, all_ in inputs.items()},
        },
    )
    return {**sizes, "constants": [0.5, -1.25], "forward": draw(forward), "backward": draw(backward)}


def evaluate(lists: Lists, known: dict[int, Array]) -> dict[tuple[str, int], Array]:
    """What a list gives: kind and number to values."""
    values = dict(known)
    for i, (operation, *arguments) in enumerate(lists[0]):
        values[i] = DO[NAMES[operation]](*(values[argument] for argument in arguments))
    kinds = {first: kind for kind, first in VALUES.items()}
    return {(kinds[to // 1024 * 1024], to % 1024): values[source] for to, source in lists[1]}


def by_lists(this: ProgramCase, text: dict) -> dict[str, Array]:
    """The loops over steps, forward and backward, over rows of values."""
    units, gates, states, added = this.hidden_size, text["gates"], text["states"], text["gates"] - text["apart"]
    fed_back = text["fed_back"]
    sizes = [this.batch] * this.steps if this.batch_sizes is None else this.batch_sizes.tolist()
    ranges = [slice(first, end) for first, end in pairwise([0, *np.cumsum(sizes).tolist()])]
    order = range(len(ranges))[:: -1 if this.reverse else 1]
    g = this.d_output.reshape(-1, units)
    x = this.input.reshape(len(g), this.input.shape[-1])
    noise = [each.reshape(-1, units) for each in this.step_inputs]
    shape = (sizes[0], units)

    def inputs(at: slice, count: int) -> dict[int, Array]:
        rows = [np.broadcast_to(each, (count, units)) for each in this.unit_inputs]
        known = {the("constant", i): np.full((count, units), each) for i, each in enumerate(text["constants"])}
        known |= {the("unit_input", i): each for i, each in enumerate(rows)}
        known |= {the("step_input", i): each[at] for i, each in enumerate(noise)}
        return known | {the("row_input", i): each[:count] for i, each in enumerate(this.row_inputs)}

    state, taken, output = this.initial_states.copy(), [], np.empty_like(g)
    for t in order:
        at, count = ranges[t], sizes[t]
        before = state[:, :count].copy()
        u, v = (
            x[at] @ this.input_weights.T + this.input_bias,
            before[fed_back] @ this.recurrent_weights.T + this.recurrent_bias,
        )
        known = inputs(at, count) | {the("state", i): before[i] for i in range(states)}
        for gate, (of_input, of_hidden) in enumerate(zip(np.split(u, gates, 1), np.split(v, gates, 1), strict=True)):
            known[the("from_input", gate)], known[the("from_hidden", gate)] = of_input, of_hidden
            known[the("sum", gate)] = of_input + of_hidden
        gives = evaluate(text["forward"], known)
        for i in range(states):
            state[i, :count] = gives["new_state", i]
        output[at] = gives["new_state", 0]
        taken.append((at, count, before, gives))

    d_state = this.d_final_states.copy()
    results = {"output": output.reshape(this.d_output.shape), "final_states": state.copy()}
    d_x, d_u, d_v = np.empty_like(x), np.zeros((len(x), gates * units)), np.zeros((len(x), gates * units))
    d_w_ih, d_w_hh = np.zeros_like(this.input_weights), np.zeros_like(this.recurrent_weights)
    d_of = {
        "unit": [np.zeros(units) for _ in this.unit_inputs],
        "step": [np.empty_like(each) for each in noise],
        "row": [np.zeros(shape) for _ in this.row_inputs],
    }
    for at, count, before, gives in reversed(taken):
        known = inputs(at, count) | {the("state", i): before[i] for i in range(states)}
        known |= {the(*key): each for key, each in gives.items()}
        known |= {the("d_new_state", i): d_state[i, :count] + (g[at] if i == 0 else 0) for i in range(states)}
        back = evaluate(text["backward"], known)
        columns = [slice(gate * units, (gate + 1) * units) for gate in range(gates)]
        for gate, column in enumerate(columns):
            d_u[at, column] = back["d_sum" if gate < added else "d_from_input", gate]
            d_v[at, column] = back["d_sum" if gate < added else "d_from_hidden", gate]
        for i in range(states):
            d_state[i, :count] = back.get(("d_state", i), 0)
        d_state[fed_back, :count] += d_v[at] @ this.recurrent_weights
        d_x[at] = d_u[at] @ this.input_weights
        d_w_ih += d_u[at].T @ x[at]
        d_w_hh += d_v[at].T @ before[fed_back]
        for i, each in enumerate(d_of["unit"]):
            each += back["d_unit_input", i].sum(0)
        for i, each in enumerate(d_of["step"]):
            each[at] = back["d_step_input", i]
        for i, each in enumerate(d_of["row"]):
            each[:count] += back["d_row_input", i]
    results |= {
        "d_input": d_x.reshape(this.input.shape),
        "d_initial_states": d_state,
        "d_input_weights": d_w_ih,
        "d_recurrent_weights": d_w_hh,
        "d_bias": d_u.sum(0),
        "d_recurrent_bias": d_v.sum(0),
    }
    shapes = {"unit": (units,), "step": this.d_output.shape, "row": shape}
    return results | {
        f"d_{kind}_input_{i}": each.reshape(shapes[kind]) for kind, all_ in d_of.items() for i, each in enumerate(all_)
    }


@settings(max_examples=60)
@given(
    text=programs(),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    sizes=st.tuples(st.integers(0, 5), st.sampled_from([1, 2, 5, 16, 19, 300])),
    reverse=st.booleans(),
    packed=st.booleans(),
)
def test_any_program(text, lengths, sizes, reverse, packed):
    this = program_case(
        _engine.Program(**text),
        *sizes,
        lengths[0],
        len(lengths),
        dtype="float64",
        reverse=reverse,
        lengths=sorted(lengths, reverse=True) if packed else None,
    )
    results = run(this)
    for name, expected in by_lists(this, text).items():
        np.testing.assert_allclose(results[name], expected, rtol=1e-7, atol=1e-7, err_msg=name)
    assert_same_bits(run(this, keep=False), results)
    alone = run(this, further=())  # what is not asked for changes nothing else
    assert_same_bits(alone, results)
