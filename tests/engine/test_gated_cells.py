"""GRU and LSTM: the equations in float64 at every tail and layout, and the same bits whatever is around a sequence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import gated
from tests.engine.cases import assert_close, assert_same_bits, ragged
from tests.engine.gated import CELLS, GatedCase, by_equations, gated_case, run

pytestmark = [pytest.mark.usefixtures("level"), pytest.mark.parametrize("cell", CELLS)]
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
directions = pytest.mark.parametrize("reverse", [False, True])
OF_ROWS = ("output", "final_state", "final_cell_state", "d_input", "d_initial_state", "d_initial_cell_state")


def assert_equations_hold(this: GatedCase, threads: int = 1) -> None:
    what = f"{this.cell} {this.input.shape=} {this.hidden_size=} {this.dtype=} {this.reverse=}"
    assert_close(run(this, threads), by_equations(this), what)


def rows_of(results: dict[str, np.ndarray], rows: slice) -> dict[str, np.ndarray]:
    return {name: results[name][..., rows, :] for name in OF_ROWS if name in results}


def take(this: GatedCase, rows: slice, steps: slice = slice(None)) -> GatedCase:
    """Some rows and steps of a padded case."""
    states = ("initial_state", "initial_cell_state", "d_final_state", "d_final_cell_state")
    of_rows = {name: None if getattr(this, name) is None else getattr(this, name)[rows] for name in states}
    taken = replace(this, input=this.input[steps, rows], d_output=this.d_output[steps, rows], **of_rows)
    return replace(taken, batch=taken.input.shape[1])


@dtypes
def test_every_number_of_units_inputs_and_rows(cell, dtype):
    for hidden_size in range(1, 71, 1 if dtype == "float32" else 3):
        input_size, batch = 37 * hidden_size % 71, 1 + 7 * hidden_size % 20
        reverse = hidden_size % 3 == 0
        assert_equations_hold(gated_case(cell, input_size, hidden_size, 3, batch, dtype=dtype, reverse=reverse))


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=20),
    sizes=st.tuples(st.integers(0, 40), st.integers(1, 40)),
    dtype=st.sampled_from(["float32", "float64"]),
    reverse=st.booleans(),
    given=st.booleans(),
    packed=st.booleans(),
    threads=st.integers(1, 3),
)
def test_any_combination(cell, lengths, sizes, dtype, reverse, given, packed, threads):
    packed_lengths = sorted(lengths, reverse=True) if packed else None
    this = gated_case(
        cell, *sizes, lengths[0], len(lengths), dtype=dtype, reverse=reverse, lengths=packed_lengths, given=given
    )
    assert_equations_hold(this, threads)


@dtypes
@directions
@settings(max_examples=10)
@given(
    sizes=st.tuples(st.integers(0, 70), st.integers(1, 70)),
    steps=st.integers(1, 6),
    batch=st.integers(2, 60),
    data=st.data(),
)
def test_alone_or_in_a_batch(cell, dtype, reverse, sizes, steps, batch, data):
    this = gated_case(cell, *sizes, steps, batch, dtype=dtype, reverse=reverse)
    first = data.draw(st.integers(0, batch - 1))
    together = run(this)
    for rows in (slice(first, data.draw(st.integers(first + 1, batch))), slice(first, first + 1)):
        assert_same_bits(rows_of(run(take(this, rows)), slice(None)), rows_of(together, rows))


@dtypes
@directions
@pytest.mark.parametrize("lengths", [None, [20] * 50 + [16] * 40 + [8]])
def test_any_number_of_threads_and_whether_anything_is_kept(cell, dtype, reverse, lengths):
    this = gated_case(cell, 40, 33, 20, 60, dtype=dtype, reverse=reverse, lengths=lengths)
    one = run(this)
    assert_same_bits(run(this, keep=False), one)
    for threads in (2, 3, 4):
        assert_same_bits(run(this, threads), one, f"at {threads} threads")


@directions
@pytest.mark.parametrize("lengths", [[40], [6, 6, 4, 2]])
def test_units_shared_out_among_threads(cell, reverse, lengths):
    # one row, or few of weights that outgrow the second-level cache: here threads wait for one another at every step
    this = gated_case(cell, 33, 150 if len(lengths) == 1 else 450, 0, 0, reverse=reverse, lengths=lengths)
    one = run(this)
    assert_equations_hold(this, 2)
    for threads in (2, 3, 16):
        assert_same_bits(run(this, threads), one, f"at {threads} threads")
        assert_same_bits(run(this, threads, keep=False), one, f"at {threads} threads, nothing kept")


@dtypes
@directions
@pytest.mark.parametrize("batch", [1, 9])
def test_whole_or_step_by_step(cell, dtype, reverse, batch):
    this = gated_case(cell, 19, 35, 12, batch, dtype=dtype, reverse=reverse)
    whole = run(this, keep=False)
    state = (this.initial_state, this.initial_cell_state)
    for step in range(12)[:: -1 if reverse else 1]:
        now = take(this, slice(None), slice(step, step + 1))
        results = run(replace(now, initial_state=state[0], initial_cell_state=state[1]), keep=False)
        assert_same_bits({"output": results["output"][0]}, {"output": whole["output"][step]}, f"at step {step}")
        state = results["final_state"], results.get("final_cell_state")
    assert_same_bits({name: results[name] for name in results if name != "output"}, whole)


@dtypes
@directions
def test_packed_or_padded(cell, dtype, reverse):
    lengths = [12, 12, 9, 5, 5, 1]
    padded = gated_case(cell, 9, 21, 12, 6, dtype=dtype, reverse=reverse)
    valid = np.arange(12)[:, None] < np.array(lengths)
    sizes = np.array(ragged(lengths), np.int64)
    packed = replace(padded, batch_sizes=sizes, input=padded.input[valid], d_output=padded.d_output[valid])
    results = run(packed)
    for row, length in enumerate(lengths):
        alone = run(take(padded, slice(row, row + 1), slice(length)))
        steps = np.nonzero(valid)[1] == row
        of_row = {name: results[name][steps][:, None] for name in ("output", "d_input")}
        of_row |= {name: results[name][[row]] for name in OF_ROWS if name in results and name not in of_row}
        assert_same_bits(of_row, alone, f"row {row}")


@dtypes
def test_a_backward_pass_without_what_the_forward_pass_kept_is_refused(cell, dtype, monkeypatch):
    backward = gated.BACKWARD[dtype]
    monkeypatch.setitem(gated.BACKWARD, dtype, lambda **call: backward(**call | {"kept": 0}))
    with pytest.raises(ValueError, match="kept: expected what the forward pass wrote there, got null"):
        run(gated_case(cell, 3, 4, 2, 1, dtype=dtype))
