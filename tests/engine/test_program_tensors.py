"""Programs over PyTorch's tensors: the bits of the same calls by addresses, of one direction or two."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import elman.nn  # noqa: F401  tells the engine what tensors are
from elman import _engine
from tests.engine.cases import Array, assert_same_bits
from tests.engine.programs import ProgramCase, leaky, lstm, program_case, run, three_states

CELLS = {"leaky": leaky, "lstm": lstm, "three states": three_states}


def tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def by_tensors(cases: list[ProgramCase]) -> list[dict[str, Array]]:
    """The cases are directions of one layer; of each what run() gives, and of the first the gradient of their input."""
    this, count, units = cases[0], len(cases), cases[0].hidden_size
    further, states = this.program.states - 1, torch.stack([tensor(case.initial_states) for case in cases], 1)
    d_states = torch.stack([tensor(case.d_final_states) for case in cases], 1)

    def split(all_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return all_[0], None if further == 0 else all_[1] if further == 1 else all_[1:]

    inputs = [
        [tensor(each) for case in cases for each in getattr(case, f"{kind}_inputs")] for kind in ("unit", "step", "row")
    ]
    names = ("input_weights", "recurrent_weights", "input_bias", "recurrent_bias")
    weights = [tensor(getattr(case, name)) for case in cases for name in names]
    matrices = [tensor(getattr(case, name)) for case in cases for name in names[:2]]
    h_0, c_0 = split(states)
    sizes = None if this.batch_sizes is None else torch.from_numpy(this.batch_sizes)
    common = (h_0, c_0, sizes)
    x = tensor(this.input)
    results, kept = _engine.forward(this.program, 2, count, x, *common, weights, units, True, *inputs)
    d_output = torch.cat([tensor(case.d_output) for case in cases], -1)
    needed = (True,) * (3 if further else 2) + (() if further else (False,))
    needed += (True,) * (len(weights) + sum(map(len, inputs)))
    d_h_n, d_c_n = split(d_states)
    gradients = _engine.backward(
        this.program, 2, count, x, *common, matrices, units, results[0], kept, d_output, d_h_n, d_c_n, needed, *inputs
    )

    def of_states(h: torch.Tensor, c: torch.Tensor | None, direction: int) -> Array:
        rest = [] if c is None else [c[direction]] if further == 1 else [each[direction] for each in c]
        return torch.stack([h[direction], *rest]).numpy()

    all_ = []
    for direction in range(count):
        own = {"output": results[0][..., direction * units : (direction + 1) * units].numpy()}
        own["final_states"] = of_states(results[1], results[2] if further else None, direction)
        own["d_initial_states"] = of_states(gradients[1], gradients[2], direction)
        own |= {
            f"d_{name}": gradients[3 + 4 * direction + i].numpy()
            for i, name in enumerate(("input_weights", "recurrent_weights", "bias", "recurrent_bias"))
        }
        at = 3 + 4 * count
        for kind, each in zip(("unit", "step", "row"), inputs, strict=True):
            number = len(each) // count
            for i in range(number):
                own[f"d_{kind}_input_{i}"] = gradients[at + direction * number + i].numpy()
            at += len(each)
        all_.append(own)
    all_[0]["d_input"] = gradients[0].numpy()
    return all_


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lengths", [None, [7, 7, 5, 2, 1]])
@pytest.mark.parametrize("directions", [1, 2])
def test_tensors_give_the_bits_of_addresses(name, dtype, lengths, directions):
    first = program_case(CELLS[name](), 3, 19, 7, 5, dtype=dtype, lengths=lengths)
    second = replace(program_case(CELLS[name](), 3, 19, 7, 5, dtype=dtype, lengths=lengths, seed=1), reverse=True)
    cases = [first, replace(second, input=first.input)][:directions]
    for case, results in zip(cases, by_tensors(cases), strict=True):
        expected = run(case)
        if directions == 2 and "d_input" in results:
            del results["d_input"]
        assert_same_bits(results, expected)


def test_one_step_has_no_directions():
    this = program_case(three_states(), 3, 8, 1, 4)
    weights = [
        tensor(each) for each in (this.input_weights, this.recurrent_weights, this.input_bias, this.recurrent_bias)
    ]
    states = tensor(this.initial_states)
    rows = [tensor(each) for each in this.row_inputs]
    (output, further), _ = _engine.forward(
        this.program, 1, 1, tensor(this.input[0]), states[0], states[1:], None, weights, 8, True,
        [], [tensor(each[0]) for each in this.step_inputs], rows,
    )  # fmt: skip
    assert_same_bits({"final_states": torch.cat([output[None], further]).numpy()}, run(this))


def test_inputs_of_another_number_or_shape_are_refused():
    this = program_case(leaky(), 3, 8, 2, 4)
    weights = [
        tensor(each) for each in (this.input_weights, this.recurrent_weights, this.input_bias, this.recurrent_bias)
    ]

    def forward(unit_inputs: list[object]) -> None:
        _engine.forward(
            this.program, 1, 1, tensor(this.input), None, None, None, weights, 8, False, unit_inputs, [], []
        )

    with pytest.raises(ValueError, match="unit_inputs: expected as many tensors as the program has, of each direction"):
        forward([])
    with pytest.raises(ValueError, match="unit_inputs: expected as many tensors as the program has, of each direction"):
        forward([None])
    with pytest.raises(ValueError, match="expected an input by unit of another shape"):
        forward([torch.zeros(7)])
    with pytest.raises(ValueError, match="expected a plain tensor of the input's dtype"):
        forward([torch.zeros(8, dtype=torch.float64)])
