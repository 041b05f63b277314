"""The equations of GRU and LSTM: the reference, PyTorch, NumPy and the engine say the same."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from elman import reference
from tests.engine.cases import assert_close
from tests.engine.gated import GatedCase, by_equations, gated_case, run

pytestmark = pytest.mark.parametrize("cell", ["gru", "lstm"])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_both_directions_are_those_of_pytorch(cell: str, packed: bool, bias: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    layer = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](4, 6, bidirectional=True, bias=bias).double()
    sequences = [torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (7, 5, 5, 2)]
    states = torch.randn(2, 2, 4, 6, generator=generator, dtype=torch.float64)
    x = pack_sequence(sequences) if packed else torch.stack([sequence[:2] for sequence in sequences], 1)
    output, last = layer(x, tuple(states) if cell == "lstm" else states[0])
    input, batch_sizes = (x.data, x.batch_sizes) if packed else (x, None)
    found = []
    for direction, weights in enumerate(layer.all_weights):
        all_weights = [*weights, None, None][:4]
        manner = {"cell": cell, "reverse": direction == 1}
        h_0, c_0 = states[0][direction], states[1][direction]
        found.append(reference.layer(input, batch_sizes, h_0, c_0, *all_weights, **manner))
    torch.testing.assert_close(torch.cat([part[0] for part in found], -1), output.data if packed else output)
    h_n, c_n = last if cell == "lstm" else (last, None)
    torch.testing.assert_close(torch.stack([part[1] for part in found]), h_n)
    if c_n is not None:
        torch.testing.assert_close(torch.stack([part[2] for part in found]), c_n)


def gradients_by_autograd(this: GatedCase) -> dict[str, np.ndarray]:
    tensors = {
        field.name: torch.from_numpy(value)
        for field in fields(this)
        if isinstance(value := getattr(this, field.name), np.ndarray)
    }
    names = {
        "d_input": "input",
        "d_initial_state": "initial_state",
        "d_initial_cell_state": "initial_cell_state",
        "d_input_weights": "input_weights",
        "d_recurrent_weights": "recurrent_weights",
        "d_bias": "input_bias",
        "d_recurrent_bias": "recurrent_bias",
    }
    wanted = {gradient: tensors[name].requires_grad_() for gradient, name in names.items() if name in tensors}
    h_0, c_0 = tensors["initial_state"], tensors.get("initial_cell_state")
    weights = [tensors[name] for name in ("input_weights", "recurrent_weights", "input_bias", "recurrent_bias")]
    manner = {"cell": this.cell, "reverse": this.reverse}
    output, h_n, *c_n = reference.layer(tensors["input"], tensors.get("batch_sizes"), h_0, c_0, *weights, **manner)
    results, from_outside = [output, h_n], [tensors["d_output"], tensors["d_final_state"]]
    if c_n:
        results += c_n
        from_outside.append(tensors["d_final_cell_state"])
    gradients = torch.autograd.grad(results, list(wanted.values()), from_outside)
    return {name: gradient.numpy() for name, gradient in zip(wanted, gradients, strict=True)}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [9, 7, 7, 2, 1]])
def test_the_engines_gradients_are_those_of_autograd(cell: str, lengths: list[int] | None, reverse: bool) -> None:
    this = gated_case(cell, 5, 11, 6, 4, dtype="float64", reverse=reverse, lengths=lengths)
    expected = gradients_by_autograd(this)
    by_hand, by_engine = by_equations(this), run(this)
    assert_close({name: by_hand[name] for name in expected}, expected)
    assert_close({name: by_engine[name] for name in expected}, expected)
