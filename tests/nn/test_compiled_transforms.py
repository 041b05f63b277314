"""Transforms of functions with lengths and resets whose numbers nobody knows: compiled, or of each member of a vmap."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jacrev, jvp, vmap
from torch.utils._pytree import tree_leaves

import elman.nn
from elman import cells
from elman.ops._arguments import Arguments
from elman.ops._masked import masked
from elman.ops._operators import _in_pieces
from tests.nn.cases import CELLS, kind

# PyTorch's own: dynamo's, of an input that is no leaf, and its forward mode's
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")

RESETS = torch.tensor([[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0]]).bool()
CUTS: dict[str, Any] = {
    "lengths": {"lengths": torch.tensor([4, 0, 2])},
    "resets": {"resets": RESETS},
    "both": {"lengths": torch.tensor([4, 0, 2]), "resets": RESETS},
}


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("given", ["nothing", "states", "states at resets", "all"])
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_by_masks_the_numbers_and_gradients_are_those_of_the_pieces(cell: str, cut: str, given: str) -> None:
    directions = 2 if cut == "lengths" else 1
    layer = kind(elman.nn, cell)(3, 5, bidirectional=directions == 2, dtype=torch.float64)
    x = torch.randn(4, 3, 3, dtype=torch.float64)
    if "lengths" in CUTS[cut]:
        x[2:, 2], x[:, 1] = torch.nan, torch.inf  # what lies behind the ends is never read
    states = [torch.randn(directions, 3, 5, dtype=torch.float64) for _ in range(2)]
    at_resets = [torch.randn(directions, 5, dtype=torch.float64) for _ in range(2)]
    count = 2 if cell == "lstm" else 1
    before, anew = (
        (of if given in (name, "all") else [None] * 2)
        for name, of in (("states", states), ("states at resets", at_resets))
    )
    before, anew = ([*of[:count], None][:2] for of in (before, anew))
    lengths, resets = CUTS[cut].get("lengths"), CUTS[cut].get("resets")
    arguments = Arguments(x, None, lengths, resets, *before, *anew, [*layer.parameters()], cell, directions, True)
    leaves = [leaf.requires_grad_() for leaf in arguments.flat if leaf is not None and leaf.is_floating_point()]
    found = []
    for results in (masked(arguments.call, arguments), _in_pieces(arguments, count > 1)):
        loss = sum(((i + 1) * y.square().sum() for i, y in enumerate(results)), torch.zeros(()))
        found.append([*results, *torch.autograd.grad(loss, leaves, materialize_grads=True)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_learned_states_that_nothing_begins_from_have_gradients_of_zeros() -> None:
    layer, x = elman.nn.GRU(3, 4, learn_initial_state=True), torch.randn(4, 3, 3)
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(name == "h_0_l0")
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    compiled(x, torch.zeros(1, 3, 4), **CUTS["lengths"])[0].sum().backward()
    assert not layer.h_0_l0.grad.any()


def test_no_steps_leave_the_states_as_they_were() -> None:
    weights, h_0 = [*elman.nn.RNN(3, 5).parameters()], torch.randn(1, 2, 5)
    lengths = torch.zeros(2, dtype=torch.int64)
    of_states = h_0, None, None, None
    arguments = Arguments(torch.empty(0, 2, 3), None, lengths, None, *of_states, weights, "tanh", 1, False)
    output, h_n = masked(arguments.call, arguments)
    assert output.shape == (0, 2, 5)
    assert torch.equal(h_n, h_0)


def loss_of(layer: Any, weights: Any, x: Tensor, asked: dict[str, Any]) -> Tensor:
    results = [y for y in tree_leaves(functional_call(layer, weights, (x,), asked)) if isinstance(y, Tensor)]
    return sum(((i + 1) * y.square().sum() for i, y in enumerate(results)), torch.zeros(()))


def gradients(layer: Any, asked: Any, weights: Any, x: Tensor) -> Any:
    return grad(lambda weights: loss_of(layer, weights, x, asked))(weights)


def gradients_of_the_input(layer: Any, asked: Any, weights: Any, x: Tensor) -> Any:
    return grad(lambda x: loss_of(layer, dict(layer.named_parameters()), x, asked))(x)  # autograd looks on


def gradients_of_gradients(layer: Any, asked: Any, weights: Any, x: Tensor) -> Any:
    return grad(lambda x: sum(d.square().sum() for d in gradients(layer, asked, weights, x).values()))(x)


def gradients_of_each(layer: Any, asked: Any, weights: Any, x: Tensor) -> Any:
    return vmap(lambda x: gradients(layer, asked, weights, x))(torch.stack([x, 2 * x]))


def jacobians(layer: Any, asked: Any, weights: Any, x: Tensor) -> Any:
    return jacrev(lambda x: functional_call(layer, weights, (x,), asked)[0][:, 0])(x)


def tangents(layer: Any, asked: Any, weights: Any, x: Tensor) -> Any:
    return jvp(lambda x: functional_call(layer, weights, (x,), asked)[0], (x,), (torch.ones_like(x),))


MASKED = cells.RecurrentDropout(cells.Zoneout(cells.LSTM(), 0.1), 0.2)
LAYERS: dict[str, Callable[..., Any]] = {
    "RNN": lambda **options: elman.nn.RNN(3, 4, learn_initial_state=True, **options),
    "GRU": lambda **options: elman.nn.GRU(3, 4, learn_initial_state=True, **options),
    "LSTM": lambda **options: elman.nn.LSTM(3, 4, learn_initial_state=True, **options),
    "Recurrent": lambda **options: elman.nn.Recurrent(
        cells.MinimalGatedUnit(), 3, 4, learn_initial_state=True, **options
    ),
    "masked": lambda **options: elman.nn.Recurrent(MASKED, 3, 4, learn_initial_state=True, **options).eval(),
}
TRANSFORMS = (
    gradients,
    gradients_of_the_input,
    gradients_of_gradients,
    gradients_of_each,
    jacobians,
    tangents,
)


QUICK = [
    ("LSTM", gradients_of_the_input),
    ("RNN", gradients_of_gradients),
    ("GRU", gradients_of_each),
    ("LSTM", tangents),
    ("Recurrent", tangents),
]
SLOW = [(layer, transform) for layer in LAYERS for transform in TRANSFORMS if (layer, transform) not in QUICK]


@pytest.mark.parametrize(
    ("layer", "transform"),
    [*QUICK, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW)],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_what_is_compiled_whole_gives_the_numbers_of_eager_calls(layer: str, transform: Any) -> None:
    torch.manual_seed(0)
    module = LAYERS[layer](dtype=torch.float64)
    weights = {name: torch.randn_like(parameter) for name, parameter in module.named_parameters()}
    x, asked = torch.randn(2, 2, 3, dtype=torch.float64), {"lengths": torch.tensor([1, 2]), "resets": RESETS[1:3, 1:]}

    def function(weights: Any, x: Tensor) -> Any:
        return transform(module, asked, weights, x)

    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)(weights, x)
    torch.testing.assert_close(compiled, function(weights, x))


OWN = {"lengths": torch.tensor([[4, 0, 2], [1, 1, 1], [0, 4, 3]]), "resets": torch.stack([RESETS, ~RESETS, RESETS])}


@pytest.mark.parametrize("layer", LAYERS)
def test_each_member_of_a_vmap_has_lengths_and_resets_of_its_own(layer: str) -> None:
    module, x = LAYERS[layer](dtype=torch.float64), torch.randn(3, 4, 3, 3, dtype=torch.float64)

    def function(x: Tensor, asked: Any) -> Tensor:
        return module(x, **asked, return_states=True)

    def gradient(x: Tensor, asked: Any) -> Tensor:
        return grad(lambda x: sum((y.square().sum() for y in tree_leaves(function(x, asked))), torch.zeros(())))(x)

    def pushed(x: Tensor, asked: Any) -> Tensor:
        return jvp(lambda x: function(x, asked)[0], (x,), (x,))[1]

    for of_one in (function, gradient, pushed):
        found = tree_leaves(vmap(of_one)(x, OWN))
        alone = [tree_leaves(of_one(x[i], {name: of[i] for name, of in OWN.items()})) for i in range(3)]
        for one, others in zip(found, zip(*alone, strict=True), strict=True):
            torch.testing.assert_close(one, torch.stack(others))


def test_members_with_lengths_of_their_own_drop_by_the_masks_of_a_loop() -> None:
    module, x = elman.nn.GRU(3, 4, 2, dropout=0.5), torch.ones(3, 4, 3, 3)

    def function(x: Tensor, lengths: Tensor) -> Tensor:
        return module(x, lengths=lengths)[0]

    torch.manual_seed(0)
    found = vmap(function, randomness="different")(x, OWN["lengths"])
    torch.manual_seed(0)
    assert torch.equal(found, torch.stack([*map(function, x, OWN["lengths"])]))
    with pytest.raises(ValueError, match="randomness: expected 'different' for dropout with lengths"):
        vmap(function, randomness="same")(x, OWN["lengths"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_autocast_gives_the_dtype_of_pytorch_under_vmap_and_compiled_too(kind: str, dtype: torch.dtype) -> None:
    ours, theirs = (getattr(nn, kind)(3, 4) for nn in (elman.nn, torch.nn))
    x, lengths = torch.randn(4, 3, 3, dtype=dtype), torch.tensor([4, 0, 2])
    compiled = torch.compile(ours, backend="aot_eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = vmap(ours)(x.unsqueeze(0))[0], ours(x, lengths=lengths)[0], compiled(x, lengths=lengths)[0]
        assert {y.dtype for y in found} == {theirs(x)[0].dtype}
