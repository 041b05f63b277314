import numpy as np
import pytest
import torch

from elman._cells import FAMILIES
from elman.bench._cases import Case, Shape
from elman.bench._problem import difference, draw, in_order
from elman.bench._solution import solve

SHAPE = Shape(5, 3, 4, 6)


@pytest.mark.parametrize("cell", FAMILIES)
def test_the_right_results_are_those_of_pytorch_in_float64(cell):
    problem = draw(Case("training", SHAPE, cell))
    layer = getattr(torch.nn, FAMILIES[cell].title)(4, 6, dtype=torch.float64)
    layer.load_state_dict({name: torch.from_numpy(array) for name, array in problem.parameters.items()})
    leaves = {"input": torch.from_numpy(problem.x).double().requires_grad_()}
    leaves |= {name.removesuffix("_l0"): parameter for name, parameter in layer.named_parameters()}
    output, _ = layer(leaves["input"])
    gradients = torch.autograd.grad(output, list(leaves.values()), torch.from_numpy(problem.d_output).double())
    expected = {"output": output.detach()}
    expected |= {f"d_{name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}
    found = solve(problem)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", FAMILIES)
def test_only_a_single_step_begins_at_a_state(cell):
    assert not any(state.any() for state in draw(Case("inference", SHAPE, cell)).states)
    step = draw(Case("step", Shape(1, 1, 4, 6), cell))
    assert len(step.states) == len(FAMILIES[cell].states)
    for place, state in enumerate(step.states):
        assert state.all()
        states = [*step.states]
        states[place] = np.zeros_like(state)
        assert difference(solve(step._replace(states=tuple(states))), solve(step))


def test_two_biases_are_one_but_where_a_gate_keeps_them_apart():
    lstm, gru = (draw(Case("training", SHAPE, cell)) for cell in ("lstm", "gru"))
    assert (lstm.bias == lstm.bias_ih + lstm.bias_hh).all()
    assert (lstm.bias_gates, gru.bias_gates) == ("ifgo", "rznN")
    r_z, n, apart = np.split(gru.bias, [12, 18])
    assert (r_z == gru.bias_ih[:12] + gru.bias_hh[:12]).all()
    assert (n == gru.bias_ih[12:]).all()
    assert (apart == gru.bias_hh[12:]).all()
    d_bias = np.arange(8)  # two units of z, r, n, and the recurrent n
    found = gru.d_biases(d_bias, "zrnN")
    assert {name: gradient.tolist() for name, gradient in found.items()} == {
        "d_bias_ih": [2, 3, 0, 1, 4, 5],
        "d_bias_hh": [2, 3, 0, 1, 6, 7],
    }


def test_gates_are_put_into_the_order_of_others():
    rows = np.arange(8).reshape(8, 1)
    assert in_order(rows, "ifgo", "iofg").ravel().tolist() == [0, 1, 6, 7, 2, 3, 4, 5]


def test_a_case_always_has_the_same_numbers():
    first, second = (draw(Case("training", SHAPE)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first[1:], second[1:], strict=True))
    assert abs(first.weight_hh).max() <= 6**-0.5


def test_rounding_is_no_difference():
    right = solve(draw(Case("training", SHAPE)))
    rounded = {name: array.astype(np.float32) for name, array in right.items()}
    assert difference(rounded, right) is None


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        # what some processors compute unasked
        ("output", lambda array: torch.from_numpy(array).bfloat16().double().numpy(), "at most 1e-04 of the largest"),
        ("d_bias_hh", lambda array: array * np.nan, "got nan"),
        ("d_input", lambda array: array[:, :1], "expected the shape (5, 3, 4), got (5, 1, 4)"),
    ],
)
def test_all_else_is(name, change, said):
    right = solve(draw(Case("training", SHAPE)))
    found = difference(right | {name: change(right[name])}, right)
    assert found.startswith(f"{name}: expected ")
    assert said in found


def test_what_is_not_there_is_a_difference():
    right = solve(draw(Case("training", SHAPE)))
    assert difference({"output": right["output"]}, right) == "d_input: expected, got none"
