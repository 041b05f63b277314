import numpy as np
import pytest
import torch

from elman import reference
from elman.bench._cases import Case, Shape
from elman.bench._problem import difference, draw, solve

SHAPE = Shape(5, 3, 4, 6)


def test_the_right_results_are_those_of_the_reference():
    problem = draw(Case("training", SHAPE))
    weights = (problem.weight_ih, problem.weight_hh, problem.bias_ih, problem.bias_hh)
    x, d_output, *leaves = (
        torch.from_numpy(array).double().requires_grad_() for array in (problem.x, problem.d_output, *weights)
    )
    output, _ = reference.layer(x, None, None, None, *leaves, cell="tanh", reverse=False)
    gradients = torch.autograd.grad(output, [x, *leaves[:3]], d_output)
    names = ("d_input", "d_weight_ih", "d_weight_hh", "d_bias")
    expected = {"output": output.detach(), **dict(zip(names, gradients, strict=True))}
    found = solve(problem)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_only_a_single_step_begins_at_a_state():
    assert not draw(Case("inference", SHAPE)).h_0.any()
    step = draw(Case("step", Shape(1, 1, 4, 6)))
    assert step.h_0.all()
    without = step._replace(h_0=np.zeros_like(step.h_0))
    assert difference(solve(without), solve(step))


def test_a_case_always_has_the_same_numbers():
    first, second = (draw(Case("training", SHAPE)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first[1:], second[1:], strict=True))
    assert abs(first.weight_hh).max() <= 6**-0.5


def test_rounding_is_no_difference():
    right = solve(draw(Case("training", SHAPE)))
    rounded = {name: array.astype(np.float32) for name, array in right.items()}
    assert difference(rounded, right) is None
    both = rounded | {"d_bias": np.stack([rounded["d_bias"]] * 2)}  # of the two biases
    assert difference(both, right) is None


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        # what some processors compute unasked
        ("output", lambda array: torch.from_numpy(array).bfloat16().double().numpy(), "at most 1e-04 of the largest"),
        ("d_bias", lambda array: array * np.nan, "got nan"),
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
