"""Pieces of a padded batch on the engine, where they lie: what `elman.ops.layer` does with `places`."""

import re
from typing import Any

import pytest
import torch

from elman import ops
from elman.ops._calls import Call, composed
from elman.ops._cells import BUILT_IN

CELLS = ("tanh", "gru", "lstm")
# of 3 sequences side by side: steps 0 to 1 and 2 to 4 of the last, 0 to 2 of the first; the second has none
BATCH_SIZES, PLACES = torch.tensor([3, 3, 2]), torch.tensor([[2, 2], [0, 0], [0, 2]])
PADDED = torch.ones(6, 3, dtype=torch.bool)
PADDED[:3, 0] = PADDED[:5, 2] = False


def arguments(cell: str, directions: int, **options: Any) -> tuple[Any, ...]:
    torch.manual_seed(3)
    gates = {"gru": 3, "lstm": 4}.get(cell, 1)
    weights = [torch.randn(4 * gates, *rest) for _ in range(directions) for rest in ((2,), (4,), (), ())]
    x = torch.randn(6, 3, 2, **options).masked_fill(PADDED.unsqueeze(2), torch.nan)
    states = [torch.randn(directions, 3, 4) for _ in range(2)]
    return x, states[0], states[1] if cell == "lstm" else None, weights


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_pieces_in_place_are_those_packed_to_the_bit(cell: str, directions: int) -> None:
    x, h_0, c_0, weights = arguments(cell, directions)
    leaves = [x.requires_grad_(), h_0.requires_grad_(), *(() if c_0 is None else [c_0.requires_grad_()]), *weights]
    for weight in weights:
        weight.requires_grad_()
    rest = weights, 4, cell, directions
    every_c = cell == "lstm"
    found = ops.layer(x, BATCH_SIZES, h_0, c_0, *rest, every_c=every_c, places=PLACES)
    index = torch.tensor([8, 0, 2, 11, 3, 5, 14, 6])
    packed = ops.layer(x.flatten(0, 1)[index], BATCH_SIZES, h_0, c_0, *rest, every_c=every_c)
    for place, (result, expected) in enumerate(zip(found, packed, strict=True)):
        if place in (0, 3):  # what there is for each step
            assert not result[PADDED].any()
            result = result.flatten(0, 1)[index]
        assert torch.equal(result, expected)
    for count in (2, len(found)):  # without the states but the first, and with them
        of_places, of_packed = (
            torch.autograd.grad(sum((y**2).sum() for y in results[:count]), leaves, retain_graph=True)
            for results in (found, packed)
        )
        assert all(map(torch.equal, of_places, of_packed))
        assert not of_places[0][PADDED].any()


@pytest.mark.parametrize("sequences", [1, 8])  # whose steps are shared out among threads, unit by unit
def test_few_pieces_of_large_weights_are_those_packed_to_the_bit(sequences: int) -> None:
    torch.manual_seed(4)
    weights = [torch.randn(768, *rest) / 28 for rest in ((2,), (768,), (), ())]
    x, lengths = torch.randn(30, 8, 2), torch.arange(30, 30 - sequences, -1)
    batch_sizes = (lengths.unsqueeze(0) > torch.arange(30).unsqueeze(1)).sum(1)
    index = torch.cat([8 * step + torch.arange(int(size)) for step, size in enumerate(batch_sizes)])
    places = torch.stack([torch.zeros(sequences, dtype=torch.int64), torch.arange(sequences)], 1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        output, h_n = ops.layer(x, batch_sizes, None, None, weights, 768, "tanh", 1, places=places)
        packed, last = ops.layer(x.flatten(0, 1)[index], batch_sizes, None, None, weights, 768, "tanh", 1)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(output.flatten(0, 1)[index], packed)
    assert torch.equal(h_n, last)


@pytest.mark.parametrize("cell", CELLS)
def test_what_pytorch_differentiates_again_goes_by_the_same_places(cell: str) -> None:
    x, h_0, c_0, weights = arguments(cell, 1, dtype=torch.float64)
    h_0, c_0, *weights = (None if given is None else given.double() for given in (h_0, c_0, *weights))
    x.requires_grad_()
    second = []
    for layer in (
        lambda: ops.layer(x, BATCH_SIZES, h_0, c_0, weights, 4, cell, 1, places=PLACES),
        lambda: composed(Call(BUILT_IN[cell], 1, 4, BATCH_SIZES, PLACES), x, h_0, c_0, *weights),
    ):
        (first,) = torch.autograd.grad((layer()[0] ** 2).sum(), x, create_graph=True)
        second.append((first, *torch.autograd.grad((first**2).sum(), x)))
    for found, expected in zip(*second, strict=True):
        torch.testing.assert_close(found, expected)
        assert not found[PADDED].any()


@pytest.mark.parametrize(
    ("batch_sizes", "places", "words"),
    [
        ([3, 3, 2], [[2, 2], [0, 0]], "places: expected a step and a row for each packed sequence"),
        ([3, 3, 2], [[2, 3], [0, 0], [0, 2]], "places: expected rows that are there"),
        ([3, 3, 2], [[4, 2], [0, 0], [0, 2]], "places: expected rows that are there"),
        ([3, 3, 2], [[-1, 2], [0, 0], [0, 2]], "places: expected rows that are there"),
        ([3, 3, 2], [[3, 2], [0, 0], [0, 2]], "places: expected sequences that follow one another"),
        ([9, 9, 9], [[2, 2], [0, 0], [0, 2]], "batch_sizes: expected no more rows than are padded"),
        ([3, -3, 2], [[2, 2], [0, 0], [0, 2]], "batch_sizes: expected no more rows than are padded"),
    ],
)
def test_places_that_are_none_are_refused(batch_sizes: list[int], places: list[list[int]], words: str) -> None:
    x, h_0, _, weights = arguments("tanh", 1)
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        ops.layer(x, torch.tensor(batch_sizes), h_0, None, weights, 4, "tanh", 1, places=torch.tensor(places))
