"""Cells that are programs: what the engine's own cells say, written as programs, gives their bits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import _engine
from tests.engine.cases import assert_same_bits, ragged
from tests.engine.programs import (
    Listing,
    elman,
    gru,
    leaky,
    lstm,
    normalised,
    program_case,
    run,
    take_rows,
    the,
    three_states,
    voltage,
)

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
directions = pytest.mark.parametrize("reverse", [False, True])
OWN = {"tanh": elman, "gru": gru, "lstm": lstm}
cells = pytest.mark.parametrize("name", OWN)
OF_ROWS = ("output", "final_states", "d_input", "d_initial_states")


@cells
@dtypes
@directions
@pytest.mark.parametrize("lengths", [None, [9, 9, 7, 4, 4, 1]])
@pytest.mark.parametrize("hidden_size", [1, 3, 8, 17, 64])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_cell_of_the_engine_written_as_a_program_gives_its_bits(name, dtype, reverse, lengths, hidden_size, threads):
    this = program_case(OWN[name](), 5, hidden_size, 9, 6, dtype=dtype, reverse=reverse, lengths=lengths)
    of_engine = run(this, threads, cell=_engine.Cell[name])
    if name != "gru":
        del of_engine["d_recurrent_bias"]  # the engine's own tells but one of two that are the same
    results = run(this, threads)
    assert_same_bits({key: results[key] for key in of_engine}, of_engine)


@cells
@settings(max_examples=20)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=20),
    sizes=st.tuples(st.integers(0, 40), st.integers(1, 40)),
    dtype=st.sampled_from(["float32", "float64"]),
    reverse=st.booleans(),
    everything=st.booleans(),
    packed=st.booleans(),
)
def test_any_combination(name, lengths, sizes, dtype, reverse, everything, packed):
    this = program_case(
        OWN[name](),
        *sizes,
        lengths[0],
        len(lengths),
        dtype=dtype,
        reverse=reverse,
        lengths=sorted(lengths, reverse=True) if packed else None,
        given=everything,
    )
    of_engine = run(this, cell=_engine.Cell[name])
    results = run(this)
    assert_same_bits({key: results[key] for key in of_engine if key != "d_recurrent_bias" or name == "gru"}, of_engine)


ALL = {
    **OWN,
    "leaky": leaky,
    "normalised": lambda: normalised(33),
    "three states": three_states,
    "voltage": voltage,
}


@pytest.mark.parametrize("name", ALL)
@dtypes
@directions
@pytest.mark.parametrize("lengths", [None, [20] * 50 + [16] * 40 + [8]])
def test_any_number_of_threads_and_whether_anything_is_kept(name, dtype, reverse, lengths):
    this = program_case(ALL[name](), 40, 33, 20, 60, dtype=dtype, reverse=reverse, lengths=lengths)
    one = run(this)
    assert_same_bits(run(this, keep=False), one)
    for threads in (2, 3, 4):
        assert_same_bits(run(this, threads), one, f"at {threads} threads")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("dtype", "reverse", "steps", "batch", "lengths"),
    [
        ("float32", False, 60, 1, None),
        ("float64", True, 60, 1, None),
        ("float32", True, 60, 1, [60]),
        ("float32", True, 6, 4, None),
        ("float64", False, 6, 4, [6, 6, 4, 1]),
        ("float32", True, 6, 4, [6, 6, 4, 1]),
    ],
)
@pytest.mark.parametrize("of_few_rows", [730, 736], ids=["gates that begin within a panel", "with one"])
def test_units_shared_out_among_threads(name, dtype, reverse, steps, batch, lengths, of_few_rows):
    # one row, or few of weights that outgrow the second-level cache: here threads wait for one another at every step
    hidden_size = of_few_rows if batch > 1 else of_few_rows - 480
    program = normalised(hidden_size) if name == "normalised" else ALL[name]()
    this = program_case(program, 65, hidden_size, steps, batch, dtype=dtype, reverse=reverse, lengths=lengths)
    one = run(this)
    for threads in (2, 3):
        assert_same_bits(run(this, threads), one, f"at {threads} threads")
        assert_same_bits(run(this, threads, keep=False), one, f"at {threads} threads, nothing kept")


@dtypes
@pytest.mark.parametrize("hidden_size", [3, 33, 64])
def test_operations_that_are_done_at_once_round_as_they_do_one_by_one(dtype, hidden_size):
    do = Listing()
    a, b, c, d = (the("state", i) for i in range(4))
    product, other = do.multiply(a, b), do.multiply(b, c)
    do.fields(
        "new_state",
        do.multiply(c, product),
        do.add(d, other),
        do.multiply(do.subtract(b, a), a),
        do.add(do.negate(c), d),
    )
    program = _engine.Program(states=4, forward=do.lists)
    this = program_case(program, 3, hidden_size, 1, 21, dtype=dtype)
    a, b, c, d = this.initial_states
    expected = np.stack([c * (a * b), d + b * c, (b - a) * a, d - c])
    assert_same_bits({"final_states": run(this, keep=False)["final_states"]}, {"final_states": expected})


def through_sigma(do: Listing, gradient: int, y: int, one: int) -> list[int]:
    slope = do.multiply(y, rest := do.subtract(one, y))
    return [rest, slope, do.multiply(gradient, slope)]


def through_tanh(do: Listing, gradient: int, y: int, one: int) -> list[int]:
    slope = do.negated_multiply_add(y, y, one)
    return [slope, do.multiply(slope, gradient)]


@dtypes
@pytest.mark.parametrize("hidden_size", [3, 33, 64])
@pytest.mark.parametrize(
    "steps",
    [
        lambda do, a, b, c, d: [p := do.multiply(a, b), q := do.multiply(c, d), do.add(p, q)],
        lambda do, a, b, c, d: [p := do.multiply(a, b), q := do.multiply(c, d), do.subtract(p, q)],
        lambda do, a, b, c, d: through_sigma(do, do.add(a, d), b, c),
        lambda do, a, b, c, d: [p := do.multiply(a, d), *through_sigma(do, p, b, c)],
        lambda do, a, b, c, d: through_tanh(do, do.add(a, d), b, c),
        lambda do, a, b, c, d: [p := do.multiply(a, d), *through_tanh(do, p, b, c)],
    ],
    ids=["a b + c d", "a b - c d", "sigma", "product, sigma", "tanh", "product, tanh"],
)
def test_operations_whose_parts_are_wanted_too_give_what_they_give_at_once(steps, hidden_size, dtype):
    found = []
    for are_wanted in (True, False):
        do = Listing()
        states = [the("state", i) for i in range(4)]
        *parts, whole = steps(do, *states)
        others = [*parts, *states[1 + len(parts) :]] if are_wanted else states[1:]
        do.fields("new_state", whole, *others)
        this = program_case(_engine.Program(states=4, forward=do.lists), 3, hidden_size, 1, 21, dtype=dtype)
        found.append({"output": run(this, keep=False)["output"]})
    assert_same_bits(*found)


@dtypes
def test_what_hangs_on_units_alone_is_the_same_for_every_row_and_step(dtype):
    do = Listing()
    rest = do.subtract(the("constant"), the("unit_input"))
    ratio = do.divide(rest, the("unit_input", 1))
    do.fields("new_state", do.multiply(the("state"), rest), do.add(the("state", 1), ratio), ratio)
    program = _engine.Program(states=3, unit_inputs=2, constants=[1.0], forward=do.lists)
    this = program_case(program, 3, 300, 2, 21, dtype=dtype)
    (leak, scale), (a, b, _) = this.unit_inputs, this.initial_states
    rest = 1 - leak
    ratio = rest / scale
    expected = np.stack([a * rest * rest, b + ratio + ratio, np.broadcast_to(ratio, a.shape)])
    assert_same_bits({"final_states": run(this, keep=False)["final_states"]}, {"final_states": expected})


@pytest.mark.parametrize("name", ALL)
@dtypes
@directions
def test_alone_or_in_a_batch(name, dtype, reverse):
    this = program_case(ALL[name](), 3, 33, 5, 29, dtype=dtype, reverse=reverse)
    together = run(this)
    for rows in (slice(0, 1), slice(3, 7), slice(7, 29)):
        alone = run(take_rows(this, rows))
        of_rows = [key for key in alone if key in OF_ROWS or key.startswith(("d_step", "d_row"))]
        assert_same_bits(
            {key: alone[key] for key in of_rows}, {key: together[key][..., rows, :] for key in of_rows}, f"{rows}"
        )


@pytest.mark.parametrize("name", ALL)
@dtypes
@directions
def test_whole_or_step_by_step(name, dtype, reverse):
    this = program_case(ALL[name](), 3, 33, 9, 4, dtype=dtype, reverse=reverse)
    whole, now = run(this, keep=False), this
    for step in range(9)[:: -1 if reverse else 1]:
        at = take_rows(this, slice(None), slice(step, step + 1))
        results = run(replace(at, initial_states=now.initial_states), keep=False)
        assert_same_bits({"output": results["output"][0]}, {"output": whole["output"][step]}, f"at step {step}")
        now = replace(now, initial_states=results["final_states"])
    assert_same_bits({"final_states": results["final_states"]}, whole)


@pytest.mark.parametrize("name", ALL)
@dtypes
def test_packed_or_padded(name, dtype):
    lengths = [12, 12, 9, 5, 5, 1]
    padded = program_case(ALL[name](), 9, 33, 12, 6, dtype=dtype)
    valid = np.arange(12)[:, None] < np.array(lengths)
    packed = replace(
        padded,
        batch_sizes=np.array(ragged(lengths), np.int64),
        input=padded.input[valid],
        d_output=padded.d_output[valid],
        step_inputs=[each[valid] for each in padded.step_inputs],
    )
    results = run(packed)
    for row, length in enumerate(lengths):
        alone = run(take_rows(padded, slice(row, row + 1), slice(length)))
        steps = np.nonzero(valid)[1] == row
        for key in ("output", "d_input", *(key for key in alone if key.startswith("d_step"))):
            assert_same_bits({key: results[key][steps][:, None]}, alone, f"{row=}")
        for key in ("final_states", "d_initial_states", *(key for key in alone if key.startswith("d_row"))):
            assert_same_bits({key: results[key][..., [row], :]}, alone, f"{row=}")


@pytest.mark.skipif(len(_engine.instruction_sets()) < 3, reason="needs two instruction sets with fused multiply-add")
@pytest.mark.parametrize("name", ALL)
def test_every_instruction_set_with_fused_multiply_add_gives_equal_bits(name):
    this = program_case(ALL[name](), 5, 33, 9, 6)
    before, results = _engine.instruction_set(), []
    for level in _engine.instruction_sets()[:-1]:
        _engine.use_instruction_set(level)
        results.append(run(this))
    _engine.use_instruction_set(before)
    for others in results[1:]:
        assert_same_bits(others, results[0])


@dtypes
@pytest.mark.parametrize("units", [1, 2, 15, 16, 17, 33, 64, 300])
def test_units_of_a_row_are_added_in_the_order_that_is_told(dtype, units):
    x = np.random.default_rng(units).normal(size=units).astype(dtype)
    sums = np.zeros(16, dtype)
    for first in range(0, units, 16):
        part = x[first : first + 16]
        sums[: len(part)] += part
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    assert (of_each("row_sum", x) == sums[0]).all()


def constant_output(operation: str, *arguments: float) -> np.ndarray:
    """What an operation makes of constants."""
    do = Listing()
    do.give("new_state", getattr(do, operation)(*(the("constant", i) for i in range(len(arguments)))))
    program = _engine.Program(constants=list(arguments), forward=do.lists)
    return np.stack(
        [
            run(program_case(program, 1, 5, 1, 1, dtype=dtype), keep=False)["output"].ravel()
            for dtype in ("float32", "float64")
        ]
    )


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("add", (1, 2), 3),
        ("subtract", (1, 2), -1),
        ("multiply", (3, 2), 6),
        ("divide", (1, 0), INF),
        ("divide", (0, 0), NAN),
        ("divide", (1, -INF), -0.0),
        ("multiply_add", (3, 2, 1), 7),
        ("negated_multiply_add", (3, 2, 1), -5),
        ("negate", (0,), -0.0),
        ("absolute", (-3,), 3),
        ("minimum", (1, NAN), NAN),
        ("minimum", (NAN, 1), NAN),
        ("minimum", (-1, 1), -1),
        ("maximum", (1, NAN), NAN),
        ("maximum", (NAN, 1), NAN),
        ("maximum", (-1, 1), 1),
        ("less", (1, 2), 1),
        ("less", (2, 2), 0),
        ("less", (NAN, 2), 0),
        ("less_equal", (2, 2), 1),
        ("equal", (2, 2), 1),
        ("equal", (NAN, NAN), 0),
        ("select", (1, 2, 3), 2),
        ("select", (0, 2, 3), 3),
        ("select", (NAN, 2, 3), 2),
        ("exp", (0,), 1),
        ("exp", (-INF,), 0),
        ("exp", (INF,), INF),
        ("exp", (1000,), INF),
        ("exp", (NAN,), NAN),
        ("log", (1,), 0),
        ("log", (0,), -INF),
        ("log", (-0.0,), -INF),
        ("log", (INF,), INF),
        ("log", (-1,), NAN),
        ("log", (NAN,), NAN),
        ("sqrt", (9,), 3),
        ("sqrt", (-1,), NAN),
        ("tanh", (INF,), 1),
        ("sigma", (-INF,), 0),
        ("softplus", (INF,), INF),
        ("softplus", (-INF,), 0),
        ("softplus", (NAN,), NAN),
        ("relu", (-2,), 0),
        ("relu", (NAN,), NAN),
        ("row_sum", (2,), 10),
        ("row_sum", (NAN,), NAN),
    ],
)
def test_what_an_operation_makes_of_special_values(operation, arguments, expected):
    results = constant_output(operation, *arguments)
    np.testing.assert_array_equal(results, np.full((2, 5), expected))
    assert (np.signbit(results) == np.signbit(expected)).all() or np.isnan(expected)


def of_each(operation: str, x: np.ndarray) -> np.ndarray:
    do = Listing()
    do.give("new_state", getattr(do, operation)(the("step_input")))
    program = _engine.Program(step_inputs=1, forward=do.lists)
    this = program_case(program, 0, len(x), 1, 1, dtype=x.dtype.name)
    return run(replace(this, step_inputs=[x[None, None]]), keep=False)["output"].ravel()


@dtypes
def test_exp_and_log_are_off_by_less_than_a_unit_in_the_last_place(dtype):
    longer = np.float64 if dtype == "float32" else np.longdouble
    if dtype == "float64" and np.finfo(np.longdouble).nmant < 60:
        pytest.skip("needs a longer float")
    generator, info = np.random.default_rng(0), np.finfo(dtype)
    largest = float(np.log(info.max)) * 0.999
    ends = np.log(float(info.smallest_subnormal)), largest
    of_exp = np.concatenate([generator.uniform(*ends, 2000), generator.normal(size=500)]).astype(dtype)
    powers = np.ldexp(generator.uniform(1, 2, 2000), generator.integers(info.minexp, info.maxexp - 1, 2000))
    of_log = np.concatenate([powers, generator.uniform(0.5, 2, 500)]).astype(dtype)
    for operation, x, exact in (("exp", of_exp, np.exp), ("log", of_log, np.log)):
        expected = exact(x.astype(longer))
        exponents = np.maximum(np.frexp(expected)[1] - 1, info.minexp)
        units = np.ldexp(np.ones_like(expected), exponents - info.nmant)
        assert (np.abs(of_each(operation, x).astype(longer) - expected) / units).max() < 1, operation


OPERATION = {name: number for name, (number, _) in _engine.operations().items()}
FINE = ([(OPERATION["tanh"], the("sum"))], [(the("new_state"), 0)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gates": 0}, "gates: expected from 1 to 8, got 0"),
        ({"gates": 9}, "gates: expected from 1 to 8, got 9"),
        ({"apart": 2}, "apart: expected from 0 to 1, got 2"),
        ({"states": 5}, "states: expected from 1 to 4, got 5"),
        ({"fed_back": 1}, "fed_back: expected from 0 to 0, got 1"),
        ({"kept": -1}, "kept: expected from 0 to 32, got -1"),
        ({"unit_inputs": 17}, "unit_inputs: expected from 0 to 16, got 17"),
        ({"step_inputs": 2**30}, "step_inputs: expected from 0 to 8, got 1073741824"),
        ({"row_inputs": 9}, "row_inputs: expected from 0 to 8, got 9"),
        ({"constants": [0.0] * 257}, "constants: expected at most 256, got 257"),
        ({"forward": ([], [])}, "forward outputs: expected new_state 0, got none"),
        ({"states": 2}, "forward outputs: expected new_state 1, got none"),
        ({"kept": 1}, "forward outputs: expected kept 0, got none"),
        ({"forward": ([(99, 0)], [])}, "forward instruction 0: expected an operation from 0 to 22, got 99"),
        ({"forward": ([(-1, 0)], [])}, "forward instruction 0: expected an operation from 0 to 22, got -1"),
        ({"forward": ([()], [])}, "forward instruction 0: expected an operation from 0 to 22, got none"),
        ({"forward": ([(1, the("sum"))], [])}, "forward instruction 0: expected 2 arguments of add, got 1"),
        (
            {"forward": ([(OPERATION["tanh"], 0)], [])},
            r"forward instruction 0 \(tanh\): expected a value that is known before it, got result 0",
        ),
        (
            {"forward": ([(OPERATION["tanh"], -1)], [])},
            r"forward instruction 0 \(tanh\): expected a value that is known before it, got -1",
        ),
        (
            {"forward": ([(OPERATION["tanh"], 2**31 - 1)], [])},
            r"forward instruction 0 \(tanh\): expected a value that is known before it, got 2147483647",
        ),
        *(
            (
                {"forward": ([(OPERATION["tanh"], the(kind, index))], [])},
                rf"forward instruction 0 \(tanh\): expected a value that is known before it, got {kind} {index}",
            )
            for kind, index in [
                ("constant", 0),
                ("sum", 1),
                ("from_input", 0),
                ("from_hidden", 0),
                ("state", 1),
                ("new_state", 0),
                ("unit_input", 0),
                ("step_input", 0),
                ("row_input", 0),
                ("kept", 0),
                ("d_new_state", 0),
                ("d_sum", 0),
            ]
        ),
        (
            {"forward": (FINE[0], FINE[1] * 2)},
            "forward output 1: expected a value that no other output gives, got new_state 0",
        ),
        (
            {"forward": (FINE[0], [(the("state"), 0)])},
            "forward output 0: expected a value that this list gives, got state 0",
        ),
        (
            {"forward": (FINE[0], [(the("new_state"), 1)])},
            "forward output 0: expected a value that this list may read, got result 1",
        ),
        ({"forward": (FINE[0] * 513, FINE[1])}, "forward instructions: expected at most 512, got 513"),
        ({"forward": (FINE[0], FINE[1] * 129)}, "forward outputs: expected at most 128, got 129"),
        ({"backward": (FINE[0], [])}, r"backward instruction 0 \(tanh\): expected .* before it, got sum 0"),
        (
            {"backward": ([], [(the("d_state"), the("d_new_state"))])},
            "backward outputs: expected d_sum 0, got none",
        ),
    ],
)
def test_a_program_that_cannot_be_run_is_refused(changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        _engine.Program(**{"forward": FINE} | changes)


def test_the_largest_program_runs():
    tanh, add = OPERATION["tanh"], OPERATION["add"]
    # all results stay alive until the end, so that each has a register of its own
    instructions = [(tanh, the("sum"))] + [(tanh, i) for i in range(255)]
    instructions += [(add, 255 - i, 255 if i == 0 else 255 + i) for i in range(256)]
    program = _engine.Program(forward=(instructions, [(the("new_state"), len(instructions) - 1)]))
    this = program_case(program, 3, 17, 2, 3)
    assert np.isfinite(run(this, keep=False)["output"]).all()


def test_a_gradient_that_the_program_does_not_give_is_refused():
    this = program_case(_engine.Program(forward=FINE), 3, 4, 2, 1)
    with pytest.raises(ValueError, match="program: expected one with a backward list"):
        run(this)
    do = Listing()
    do.give("d_sum", the("d_new_state"))
    this = program_case(_engine.Program(unit_inputs=1, forward=FINE, backward=do.lists), 3, 4, 2, 1)
    with pytest.raises(ValueError, match="d_unit_inputs: expected none that the backward list does not give"):
        run(this)
    run(this, further=())
