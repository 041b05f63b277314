"""What the engine may write, and that it writes nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from tests.engine.cases import Array, Case, backward, case, forward

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
sequences = pytest.mark.parametrize(
    ("batch_sizes", "reverse"), [(None, False), (None, True), ([9, 8, 8, 1], False), ([9, 8, 8, 1], True)]
)
GUARD = 100  # elements, more than a panel of the widest vectors
CANARY = -123.25


class Guarded:
    """A view amid guard elements: ``columns`` at ``offset`` of rows that are ``width`` wide."""

    def __init__(self, dtype: str, leading: tuple[int, ...], columns: int, width: int = 0, offset: int = 0):
        width = width or columns
        self.room = np.full(2 * GUARD + int(np.prod(leading)) * width, CANARY, dtype)
        self.view: Array = self.room[GUARD : len(self.room) - GUARD].reshape(*leading, width)
        self.view = self.view[..., offset : offset + columns]

    def assert_only_view_written(self) -> None:
        assert not (self.view == CANARY).any()
        self.view[...] = CANARY
        assert (self.room == CANARY).all()


def leading(this: Case) -> tuple[int, ...]:
    return this.input.shape[:-1]


def frozen(this: Case) -> tuple[Case, dict[str, bytes]]:
    return this, {name: array.tobytes() for name, array in this.arrays()}


def assert_unwritten(this: Case, before: dict[str, bytes]) -> None:
    for name, array in this.arrays():
        assert array.tobytes() == before[name], name


@dtypes
@sequences
@pytest.mark.parametrize("hidden_size", [1, 7, 16, 19, 33, 65])
@pytest.mark.parametrize("offset", [0, 1])
def test_forward_writes_its_output_and_final_state_alone(dtype, batch_sizes, reverse, hidden_size, offset):
    this, before = frozen(case(5, hidden_size, 4, 9, dtype=dtype, batch_sizes=batch_sizes, reverse=reverse))
    output = Guarded(dtype, leading(this), hidden_size, 2 * hidden_size, offset * hidden_size)
    final = Guarded(dtype, (9,), hidden_size)
    forward(this, 1, output.view, final.view)
    output.assert_only_view_written()
    final.assert_only_view_written()
    assert_unwritten(this, before)


@dtypes
@sequences
@pytest.mark.parametrize(("input_size", "hidden_size"), [(1, 1), (7, 9), (16, 32), (33, 17), (65, 66)])
def test_backward_writes_its_gradients_alone(dtype, batch_sizes, reverse, input_size, hidden_size):
    this = case(input_size, hidden_size, 4, 9, dtype=dtype, batch_sizes=batch_sizes, reverse=reverse)
    output, _ = forward(this)
    this, before = frozen(this)
    output_before = output.tobytes()
    gradients = {
        "d_input": Guarded(dtype, leading(this), input_size, input_size + 3, 2),
        "d_initial_state": Guarded(dtype, (9,), hidden_size),
        "d_input_weights": Guarded(dtype, (hidden_size,), input_size),
        "d_recurrent_weights": Guarded(dtype, (hidden_size,), hidden_size),
        "d_bias": Guarded(dtype, (), hidden_size),
    }
    backward(this, output, into={name: guarded.view for name, guarded in gradients.items()})
    for guarded in gradients.values():
        guarded.assert_only_view_written()
    assert_unwritten(this, before)
    assert output.tobytes() == output_before


def test_threads_write_no_more_than_one_does():
    this, before = frozen(case(40, 40, 20, 60))
    output = Guarded("float32", leading(this), 40, 80, 40)
    final = Guarded("float32", (60,), 40)
    forward(this, 3, output.view, final.view)
    d_input = Guarded("float32", leading(this), 40, 43)
    d_weights = Guarded("float32", (40,), 40)
    backward(this, output.view, 3, into={"d_input": d_input.view, "d_recurrent_weights": d_weights.view})
    for guarded in (output, final, d_input, d_weights):
        guarded.assert_only_view_written()
    assert_unwritten(this, before)


@dtypes
def test_an_expanded_gradient_stays_unwritten(dtype):
    this = case(5, 9, 4, 6, dtype=dtype)
    output, _ = forward(this)
    one = np.ones(1, dtype)
    backward(replace(this, d_output=np.broadcast_to(one, (4, 6, 9))), output)
    assert one == 1


def test_what_the_memory_held_does_not_matter():
    this = case(9, 21, 5, 7)
    first = forward(this, output=np.zeros((5, 7, 21), "float32"))
    second = forward(this, output=np.full((5, 7, 21), np.inf, "float32"))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
