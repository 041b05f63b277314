"""Equal seeds give torch's dropout masks."""

from types import ModuleType

import pytest
import torch
from hypothesis import given, settings

import elman.nn
from tests.nn.cases import Case, assert_same_numbers, data_of, run
from tests.strategies import cases


@settings(max_examples=25)
@given(cases())
def test_the_generator_stands_where_torch_leaves_it(case: Case) -> None:
    def state(nn: ModuleType) -> torch.Tensor:
        run(case, nn)
        return torch.get_rng_state()

    assert torch.equal(state(elman.nn), state(torch.nn))


@pytest.mark.parametrize("form", ["batched", "unbatched", "packed", "packed unsorted"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masks_are_those_of_torch(form: str, batch_first: bool, bidirectional: bool, dtype: str) -> None:
    lengths = {"unbatched": (7,), "batched": (7,) * 5, "packed": (7, 7, 4, 2, 1), "packed unsorted": (2, 7, 1, 5, 7)}
    case = Case(
        num_layers=3,
        dropout=0.5,
        form=form,
        lengths=lengths[form],
        batch_first=batch_first,
        bidirectional=bidirectional,
        dtype=dtype,
    )
    assert_same_numbers(run(case, elman.nn), run(case, torch.nn))


def test_the_same_seed_gives_the_same_mask_and_another_seed_another() -> None:
    layer = elman.nn.RNN(3, 8, 2, dropout=0.5)
    input = torch.randn(5, 2, 3)

    def output(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return layer(input)[0]

    assert torch.equal(output(1), output(1))
    assert not torch.equal(output(1), output(2))


def test_dropout_acts_only_while_training() -> None:
    case = Case(num_layers=2, dropout=0.5, training=False)
    layer = case.layer(elman.nn)
    _, input, hx = case.arguments()
    assert torch.equal(layer(input, hx)[0], layer(input, hx)[0])
    layer.train()
    assert not torch.equal(layer(input, hx)[0], layer(input, hx)[0])


def test_dropout_acts_on_every_layers_output_but_the_last() -> None:
    case = Case(num_layers=2, dropout=1.0)
    dropped, kept = case.layer(elman.nn), case.layer(elman.nn).eval()
    _, input, hx = case.arguments()
    (output, h_n), (_, h_n_kept) = dropped(input, hx), kept(input, hx)
    assert data_of(output).any()
    assert torch.equal(h_n[0], h_n_kept[0])
    assert not torch.equal(h_n[1], h_n_kept[1])


def test_dropout_changed_after_construction_is_heeded() -> None:
    layers = [nn.RNN(3, 8, 2) for nn in (torch.nn, elman.nn)]
    layers[1].load_state_dict(layers[0].state_dict())
    input = torch.randn(5, 2, 3)
    outputs = []
    for layer in layers:
        layer.dropout = 0.5
        torch.manual_seed(3)
        outputs.append(layer(input)[0])
    assert_same_numbers({"output": outputs[1]}, {"output": outputs[0]})
