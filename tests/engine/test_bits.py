"""One output element is always the same operations in the same order, whatever is around it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.cases import Case, assert_same_bits, backward, case, forward, ragged, run

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
directions = pytest.mark.parametrize("reverse", [False, True])
relus = pytest.mark.parametrize("relu", [False, True])
OF_ROWS = ("output", "final_state", "d_input", "d_initial_state")


def rows_of(results: dict[str, np.ndarray], rows: slice) -> dict[str, np.ndarray]:
    return {name: results[name][..., rows, :] for name in OF_ROWS}


def take(this: Case, rows: slice, steps: int | None = None) -> Case:
    """Some rows of a padded case, and the first steps of them."""
    at = (slice(steps), rows)
    initial_state, d_final_state = this.initial_state[rows], this.d_final_state[rows]
    return replace(
        this,
        batch=len(initial_state),
        input=this.input[at],
        d_output=this.d_output[at],
        initial_state=initial_state,
        d_final_state=d_final_state,
    )


@dtypes
@directions
@relus
@settings(max_examples=12)
@given(
    sizes=st.tuples(st.integers(0, 70), st.integers(1, 70)),
    steps=st.integers(1, 6),
    batch=st.integers(2, 60),
    data=st.data(),
)
def test_alone_or_in_a_batch(dtype, reverse, relu, sizes, steps, batch, data):
    this = case(*sizes, steps, batch, dtype=dtype, reverse=reverse, relu=relu)
    first = data.draw(st.integers(0, batch - 1))
    rows = slice(first, data.draw(st.integers(first + 1, batch)))
    together = run(this)
    assert_same_bits(rows_of(run(take(this, rows)), slice(None)), rows_of(together, rows))
    alone = slice(first, first + 1)
    assert_same_bits(rows_of(run(take(this, alone)), slice(None)), rows_of(together, alone))


@dtypes
@directions
@pytest.mark.parametrize("batch_sizes", [None, [90] * 8 + [50] * 8 + [1] * 8])
@pytest.mark.parametrize("sizes", [(40, 40), (3, 65), (65, 31)])
def test_any_number_of_threads(dtype, reverse, batch_sizes, sizes):
    # above the 3e6 multiplications from which threads are used
    this = case(*sizes, 20, 60, dtype=dtype, reverse=reverse, batch_sizes=batch_sizes)
    one = run(this)
    for threads in (1, 2, 4, 4, 3):
        assert_same_bits(run(this, threads), one, f"at {threads} threads")


@directions
@pytest.mark.parametrize("batch_sizes", [[1] * 60, [4] * 2 + [3] * 2 + [1] * 2])
@pytest.mark.parametrize("times", [1, pytest.param(9, marks=pytest.mark.slow)])
def test_units_shared_out_among_threads(reverse, batch_sizes, times):
    # one row, or few of weights that outgrow the second-level cache: here threads wait for one another at every step
    this = case(65, 250 if len(batch_sizes) == 60 else 730, 60, 1, reverse=reverse, batch_sizes=batch_sizes)
    one = run(this)
    for threads in (2, 3, 16, 40) * times:
        assert_same_bits(run(this, threads), one, f"at {threads} threads")


@dtypes
@directions
@relus
@pytest.mark.parametrize("cut", [1, 5, 29])
@pytest.mark.parametrize("batch", [1, 9])
def test_whole_or_split_in_time(dtype, reverse, relu, cut, batch):
    this = case(19, 35, 30, batch, dtype=dtype, reverse=reverse, relu=relu)
    output, final = forward(this)
    whole = backward(this, output)
    parts = [slice(cut), slice(cut, None)][:: -1 if reverse else 1]
    first, second = (
        replace(this, input=this.input[part], d_output=this.d_output[part], initial_state=this.initial_state)
        for part in parts
    )
    first_output, between = forward(first)
    second.initial_state = between
    second_output, end = forward(second)
    second_gradients = backward(second, second_output)
    first.d_final_state = second_gradients["d_initial_state"]
    first_gradients = backward(first, first_output)
    order = -1 if reverse else 1
    joined = {
        "output": np.concatenate([first_output, second_output][::order]),
        "final_state": end,
        "d_input": np.concatenate([first_gradients["d_input"], second_gradients["d_input"]][::order]),
        "d_initial_state": first_gradients["d_initial_state"],
    }
    assert_same_bits(joined, {"output": output, "final_state": final, **whole})


@dtypes
@directions
@settings(max_examples=15)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=30), hidden_size=st.integers(1, 40))
def test_packed_or_padded(dtype, reverse, lengths, hidden_size):
    lengths = sorted(lengths, reverse=True)
    padded = case(9, hidden_size, lengths[0], len(lengths), dtype=dtype, reverse=reverse)
    valid = np.arange(lengths[0])[:, None] < np.array(lengths)
    packed = replace(
        padded,
        batch_sizes=np.array(ragged(lengths), np.int64),
        input=padded.input[valid],
        d_output=padded.d_output[valid],
    )
    results = run(packed)
    for row, length in enumerate(lengths):
        alone = run(take(padded, slice(row, row + 1), length))
        steps = np.nonzero(np.nonzero(valid)[1] == row)[0]
        of_row = {name: results[name][steps][:, None] for name in ("output", "d_input")}
        of_row |= {name: results[name][[row]] for name in ("final_state", "d_initial_state")}
        assert_same_bits(of_row, alone, f"row {row}")
    if len(set(lengths)) == 1:
        everything = run(padded)
        flat = {name: everything[name].reshape(results[name].shape) for name in results}
        assert_same_bits(results, flat)


@dtypes
@relus
def test_reverse_is_forward_over_the_reversed_input(dtype, relu):
    this = case(21, 35, 12, 9, dtype=dtype, relu=relu)
    turned = replace(this, reverse=True, input=this.input[::-1], d_output=this.d_output[::-1])
    results = run(turned)
    for name in ("output", "d_input"):
        results[name] = results[name][::-1]
    assert_same_bits(results, run(this))


@dtypes
def test_from_run_to_run(dtype):
    this = case(40, 70, 30, 50, dtype=dtype)
    first = run(this, 2)
    for _ in range(5):
        assert_same_bits(run(this, 2), first)


@dtypes
def test_omitted_biases_and_states_count_as_zeros(dtype):
    this = case(21, 35, 6, 9, dtype=dtype, biases=False, initial_state=False, d_output=False, d_final_state=False)
    zeros = replace(
        this,
        input_bias=np.zeros(35, dtype),
        recurrent_bias=np.zeros(35, dtype),
        initial_state=np.zeros((9, 35), dtype),
    )
    assert_same_bits(run(this), run(zeros))
    gradient = case(21, 35, 6, 9, dtype=dtype).d_output
    through_output = replace(this, d_output=gradient)
    assert_same_bits(run(through_output), run(replace(through_output, d_final_state=np.zeros((9, 35), dtype))))
    through_final_state = replace(this, d_final_state=gradient[0])
    assert_same_bits(run(through_final_state), run(replace(through_final_state, d_output=np.zeros_like(gradient))))
