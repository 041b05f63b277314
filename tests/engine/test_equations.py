"""Forward and backward against the equations in float64, at every tail and every layout."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.cases import (
    GRADIENTS,
    Case,
    assert_close,
    assert_equations_hold,
    assert_same_bits,
    backward,
    backward_by_equations,
    case,
    exact,
    forward,
    ragged,
    run,
)

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=20))
    packed = draw(st.booleans())
    return case(
        input_size=draw(st.integers(0, 70)),
        hidden_size=draw(st.integers(1, 70)),
        steps=lengths[0],
        batch=len(lengths),
        batch_sizes=ragged(lengths) if packed else None,
        dtype=draw(st.sampled_from(["float32", "float64"])),
        seed=draw(st.integers(0, 999)),
        **{
            name: draw(st.booleans())
            for name in ("relu", "reverse", "biases", "initial_state", "d_output", "d_final_state")
        },
    )


@dtypes
@pytest.mark.parametrize("relu", [False, True])
def test_every_number_of_units_inputs_and_rows(dtype, relu):
    for hidden_size in range(1, 71):
        # 37 and 7 are coprime to 71 and 20: each number of inputs and of rows comes up
        this = case(37 * hidden_size % 71, hidden_size, 3, 1 + 7 * hidden_size % 20, dtype=dtype, relu=relu)
        assert_equations_hold(replace(this, reverse=hidden_size % 3 == 0))


@dtypes
@pytest.mark.parametrize("batch", [1, 5, 9])
def test_weights_that_outgrow_a_cache(dtype, batch):
    # packed by all threads, walked to and fro, their gradients made of several panels at a time
    this = case(290, 650, 4, batch, dtype=dtype)
    assert_equations_hold(this)
    assert_same_bits(run(this, 2), run(this), "on two threads")


@dtypes
def test_every_number_of_rows_at_the_edges_of_vectors(dtype):
    for hidden_size in (1, 7, 8, 9, 16, 17, 31, 33, 48, 65):
        for batch in range(1, 21):
            assert_equations_hold(case(hidden_size + batch % 3, hidden_size, 2, batch, dtype=dtype))


@settings(max_examples=150)
@given(this=cases(), threads=st.integers(1, 3))
def test_any_combination(this, threads):
    assert_equations_hold(this, threads)


@dtypes
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", [[1] * 2500, [7] * 400, [1500] * 3, [1500, 1400, 700, 3, *[2] * 600]])
def test_sequences_that_cross_groups_of_rows(dtype, reverse, sizes):
    padded = case(3, 5, len(sizes), sizes[0], dtype=dtype, reverse=reverse)
    packed = case(3, 5, 0, 0, dtype=dtype, reverse=reverse, batch_sizes=sizes)
    for this in [packed] if len(set(sizes)) > 1 else [padded, packed]:
        assert_equations_hold(this, threads=2)


@dtypes
def test_three_literal_steps(dtype):
    this = case(1, 1, 3, 1, dtype=dtype, relu=True, biases=False, initial_state=False)
    this.input[:, 0, 0] = 1, 2, -8
    this.input_weights[:], this.recurrent_weights[:] = 2, 3
    this.d_output[:, 0, 0], this.d_final_state[:] = (1, 10, 100), 1000
    results = {name: values.ravel().tolist() for name, values in run(this).items()}
    assert results == {
        "output": [2, 10, 14],
        "final_state": [14],
        "d_input": [2 * 9931, 2 * 3310, 2 * 1100],
        "d_initial_state": [3 * 9931],
        "d_input_weights": [9931 + 2 * 3310 - 8 * 1100],
        "d_recurrent_weights": [2 * 3310 + 10 * 1100],
        "d_bias": [9931 + 3310 + 1100],
    }


@dtypes
@pytest.mark.parametrize("omitted", [*GRADIENTS, "all"])
def test_a_gradient_left_out_leaves_the_others_as_they_are(dtype, omitted):
    this = case(19, 35, 5, 9, dtype=dtype)
    output, _ = forward(this)
    wanted = tuple(name for name in GRADIENTS if omitted not in (name, "all"))
    assert_same_bits(backward(this, output, wanted=wanted), backward(this, output))


@dtypes
@pytest.mark.parametrize("batch_sizes", [None, [9, 9, 4, 1]])
def test_d_input_can_be_added_to(dtype, batch_sizes):
    this = case(21, 18, 4, 9, dtype=dtype, batch_sizes=batch_sizes)
    output, _ = forward(this)
    held = np.full_like(this.input, 1.5)
    added = backward(this, output, add_to_d_input=True, into={"d_input": held})
    expected = backward(this, output)
    expected["d_input"] = np.asarray(1.5, dtype) + expected["d_input"]
    assert_same_bits(added, expected)


@dtypes
@pytest.mark.parametrize("steps", [1, 3])
def test_no_inputs_at_all(dtype, steps):
    this = case(0, 20, steps, 4, dtype=dtype)
    assert_equations_hold(this)
    output, _ = forward(this)
    gradients = backward(this, output)
    some = ("d_initial_state", "d_recurrent_weights", "d_bias")
    assert_same_bits(backward(this, output, wanted=some), gradients)


def strided(array: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers, laid out otherwise."""
    if layout == "batch first":
        return np.ascontiguousarray(np.swapaxes(array, 0, -2)).swapaxes(0, -2)
    if layout == "every second feature":
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "features before rows":
        return np.ascontiguousarray(np.swapaxes(array, -1, -2)).swapaxes(-1, -2)
    if layout == "backwards":
        reverse = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[reverse])[reverse]
    assert layout == "not aligned to vectors"
    room = np.empty(array.size + 1, array.dtype)[1:]
    room[:] = array.ravel()
    return room.reshape(array.shape)


@dtypes
@pytest.mark.parametrize("batch_sizes", [None, [11, 11, 6, 2]])
@pytest.mark.parametrize(
    "layout",
    ["batch first", "every second feature", "features before rows", "backwards", "not aligned to vectors"],
)
def test_any_strides_give_the_same_bits(dtype, batch_sizes, layout):
    this = case(21, 35, 4, 11, dtype=dtype, batch_sizes=batch_sizes)
    other = replace(this, input=strided(this.input, layout), d_output=strided(this.d_output, layout))
    if layout == "not aligned to vectors":
        other = replace(other, **{n: strided(a, layout) for n, a in this.arrays() if n != "batch_sizes"})
    assert_same_bits(run(other), run(this))


@dtypes
@pytest.mark.parametrize("shape", [(1, 1, 21), (4, 1, 21), (1, 11, 1)])
def test_expanded_input_and_gradient_count_at_each_place(dtype, shape):
    this = case(21, 21, 4, 11, dtype=dtype)
    this = replace(
        this,
        input=np.broadcast_to(this.input[: shape[0], : shape[1], : shape[2]], (4, 11, 21)),
        d_output=np.broadcast_to(this.d_output[: shape[0], : shape[1], : shape[2]], (4, 11, 21)),
    )
    dense = replace(this, input=this.input.copy(), d_output=this.d_output.copy())
    assert_same_bits(run(this), run(dense))


@dtypes
def test_an_output_with_the_rows_of_two_directions_gives_the_same_bits(dtype):
    this = case(21, 35, 4, 11, dtype=dtype, reverse=True)
    wide = np.full((4, 11, 70), np.nan, dtype)
    output, final = forward(this, output=wide[..., 35:])
    assert_same_bits({"output": output, "final_state": final, **backward(this, output)}, run(this))


def test_no_gradient_from_outside_is_a_gradient_of_zero():
    this = case(9, 17, 5, 6, d_output=False, d_final_state=False)
    output, _ = forward(this)
    for name, gradient in backward(this, output).items():
        assert not gradient.any(), name
    expected = backward_by_equations(exact(this), output)
    assert_close(backward(this, output), expected)
