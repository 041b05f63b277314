"""Programs with leaks, row sums, noise, masks and several states beside PyTorch and its autograd in float64."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.cases import Array, assert_close
from tests.engine.programs import ProgramCase, leaky, normalised, program_case, run, three_states

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def step_leaky(u, v, states, unit, step, row):
    return [states[0] + unit[0] * (torch.tanh(u[0] + v[0]) - states[0])]


def step_normalised(u, v, states, unit, step, row):
    a = u[0] + v[0]
    return [torch.tanh(torch.nn.functional.layer_norm(a, a.shape[-1:], unit[0], unit[1], 1e-5))]


def step_three_states(u, v, states, unit, step, row):
    h, c, d = states
    c, d = d + step[0], row[0] * c + torch.tanh(u[0] + v[0])
    return [torch.sigmoid(v[1]) * h + u[1] * c - d, c, d]


def by_autograd(this: ProgramCase, step) -> dict[str, Array]:
    """The loop over steps and rows, and what autograd makes of it."""
    program, units = this.program, this.hidden_size

    def leaf(array: Array) -> Tensor:
        return torch.tensor(array, dtype=torch.float64, requires_grad=True)

    sizes = [this.batch] * this.steps if this.batch_sizes is None else this.batch_sizes.tolist()
    ranges = [slice(first, end) for first, end in pairwise([0, *np.cumsum(sizes).tolist()])]
    x, w_ih, w_hh = leaf(this.input), leaf(this.input_weights), leaf(this.recurrent_weights)
    b_ih, b_hh, initial = leaf(this.input_bias), leaf(this.recurrent_bias), leaf(this.initial_states)
    unit, steps, rows = (
        [leaf(each) for each in all_] for all_ in (this.unit_inputs, this.step_inputs, this.row_inputs)
    )
    flat, flat_steps = x.reshape(-1, x.shape[-1]), [each.reshape(-1, units) for each in steps]
    states = list(initial.unbind())
    output: list[Tensor] = [torch.empty(0)] * len(ranges)
    for t in range(len(ranges))[:: -1 if this.reverse else 1]:
        at, count = ranges[t], sizes[t]
        before = [state[:count] for state in states]
        u, v = flat[at] @ w_ih.T + b_ih, before[0] @ w_hh.T + b_hh
        split = [each.split(units, dim=1) for each in (u, v)]
        after = step(*split, before, unit, [each[at] for each in flat_steps], [each[:count] for each in rows])
        states = [torch.cat([new, old[count:]]) for new, old in zip(after, states, strict=True)]
        output[t] = after[0]
    whole, final = torch.cat(output), torch.stack(states)
    loss = (whole * torch.tensor(this.d_output.reshape(whole.shape), dtype=torch.float64)).sum()
    (loss + (final * torch.tensor(this.d_final_states, dtype=torch.float64)).sum()).backward()
    results = {"output": whole.reshape(*this.input.shape[:-1], units), "final_states": final}
    names = ("input", "initial_states", "input_weights", "recurrent_weights", "bias", "recurrent_bias")
    results |= {f"d_{name}": each.grad for name, each in zip(names, (x, initial, w_ih, w_hh, b_ih, b_hh), strict=True)}
    for kind, all_ in (("unit", unit), ("step", steps), ("row", rows)):
        results |= {f"d_{kind}_input_{i}": each.grad for i, each in enumerate(all_)}
    assert program.states == len(states)
    return {name: each.detach().numpy() for name, each in results.items()}


CELLS = {
    "leaky": (lambda hidden_size: leaky(), step_leaky),
    "normalised": (normalised, step_normalised),
    "three states": (lambda hidden_size: three_states(), step_three_states),
}


@pytest.mark.parametrize("name", CELLS)
@dtypes
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 7, 5, 2, 1]])
@pytest.mark.parametrize("hidden_size", [2, 8, 19, 300])
def test_values_and_gradients_are_autograds(name, dtype, reverse, lengths, hidden_size):
    program, step = CELLS[name]
    this = program_case(program(hidden_size), 3, hidden_size, 7, 5, dtype=dtype, reverse=reverse, lengths=lengths)
    this.unit_inputs = [np.abs(each) / 4 for each in this.unit_inputs]
    results, expected = run(this, 3), by_autograd(this, step)
    if name != "normalised":
        assert_close(results, expected, name)
    elif dtype == "float64":  # where units are close to their mean digits are lost, in float32 all
        for key, each in results.items():
            np.testing.assert_allclose(each, expected[key], rtol=1e-10, atol=1e-10, err_msg=key)
    alone = run(this, 1, further=())
    for key in alone:  # not asked for, the inputs' gradients change nothing
        assert np.array_equal(alone[key], results[key]), key
