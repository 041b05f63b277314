"""torch.compile takes a model with our layers whole, forward and backward, and the engine runs in it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo import compiled_autograd
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.testing import CompileCounter, CompileCounterWithBackend
from torch._functorch.aot_autograd import make_boxed_func
from torch.func import grad, jvp, vmap
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import output_of

# named otherwise before PyTorch 2.6
compiling_autograd = getattr(compiled_autograd, "_enable", None) or compiled_autograd.enable
LAYERS = [kind for kind in RECURRENT if not kind.endswith("Cell")]

# PyTorch's own: dynamo's, of an input that is no leaf, and older versions' of themselves
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def states_for(kind: str, *shape: int) -> Any:
    h = torch.randn(*shape)
    return (h, h * 0.5) if kind.startswith("LSTM") else h


def model(kind: str) -> tuple[Any, ...]:
    layer = getattr(elman.nn, kind)(3, 5, 2, batch_first=True, dropout=0.3, bidirectional=True)
    return torch.nn.Sequential(torch.nn.Linear(3, 3), layer), torch.randn(2, 4, 3)


def layer_with_states(kind: str) -> tuple[Any, ...]:
    return getattr(elman.nn, kind)(3, 5), torch.randn(4, 2, 3), states_for(kind, 1, 2, 5)


def unbatched(kind: str) -> tuple[Any, ...]:
    return getattr(elman.nn, kind)(3, 5), torch.randn(4, 3)


class Packing(torch.nn.Module):
    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, data: Tensor, *packed: Any) -> Any:
        return self.layer(torch.nn.utils.rnn.PackedSequence(data, *packed))[0].data


def packed(kind: str) -> tuple[Any, ...]:
    lengths = torch.tensor([2, 4])
    data, *others = pack_padded_sequence(torch.randn(4, 2, 3), lengths, enforce_sorted=False)
    return Packing(getattr(elman.nn, kind)(3, 5)), data, *others


class Asking(torch.nn.Module):
    def __init__(self, layer: torch.nn.Module, names: tuple[str, ...], **more: Any) -> None:
        super().__init__()
        self.layer, self.names, self.more = layer, names, more

    def forward(self, input: Tensor, *given: Any) -> Any:
        return self.layer(input, **dict(zip(self.names, given, strict=True)), **self.more)


def with_lengths(kind: str) -> tuple[Any, ...]:
    layer = getattr(elman.nn, kind)(3, 5, bidirectional=True)
    return Asking(layer, ("lengths",), return_states=True), torch.randn(4, 2, 3), torch.tensor([0, 3])


def with_all(kind: str) -> tuple[Any, ...]:
    layer = getattr(elman.nn, kind)(3, [5, 3, 3], learn_initial_state=True, residual=True)
    resets = torch.tensor([[0, 1], [0, 0], [1, 0], [0, 1]]).bool()
    return Asking(layer, ("lengths", "resets")), torch.randn(4, 2, 3), torch.tensor([4, 2]), resets


class Steps(torch.nn.Module):
    def __init__(self, cell: torch.nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, input: Tensor, states: Any, reset: Tensor) -> Any:
        for x_t in input:
            states = self.cell(x_t, states, reset=reset)
        return states


def cell_with_resets(kind: str) -> tuple[Any, ...]:
    cell = getattr(elman.nn, f"{kind}Cell")(3, 5)
    return Steps(cell), torch.randn(3, 2, 3), states_for(kind, 2, 5), torch.tensor([True, False])


WAYS = (model, layer_with_states, unbatched, packed, with_lengths, with_all, cell_with_resets)


def results(function: Any, module: torch.nn.Module, input: Tensor, others: tuple[Any, ...]) -> list[Tensor]:
    """What comes out, and the gradients of the input and the parameters."""
    torch.manual_seed(1)  # dropout's
    input = input.detach().requires_grad_()
    found = [x for x in tree_leaves(function(input, *others)) if isinstance(x, Tensor)]
    loss = sum(((i + 1) * x.square().sum() for i, x in enumerate(found)), torch.zeros(()))
    gradients = torch.autograd.grad(loss, [input, *module.parameters()], allow_unused=True)
    return [*found, *(x for x in gradients if x is not None)]


def assert_same(function: Any, module: torch.nn.Module, input: Tensor, *others: Any) -> None:
    compiled, eager = (results(f, module, input, others) for f in (function, module))
    assert len(compiled) == len(eager)
    assert all(map(torch.equal, compiled, eager))


@pytest.mark.parametrize(
    ("kind", "way"),
    [(kind, way) for kind in LAYERS for way in WAYS if kind == "LSTM" or way in (model, with_all)],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_a_whole_graph_has_the_bits_of_eager_calls(kind: str, way: Callable[[str], Any]) -> None:
    torch.manual_seed(0)
    module, *given = way(kind)
    assert_same(torch.compile(module, backend="aot_eager", fullgraph=True), module, *given)


@pytest.mark.parametrize("allow_rnn", [False, True])
@pytest.mark.parametrize("kind", RECURRENT)
def test_it_is_the_engine_that_runs_whatever_dynamo_allows_pytorch(kind: str, allow_rnn: bool) -> None:
    names: list[str] = []

    def noting(graph: torch.fx.GraphModule, _: Any) -> Any:
        names.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return make_boxed_func(graph)

    of_step = kind.endswith("Cell")
    module, input = getattr(elman.nn, kind)(3, 5), torch.randn(*(4,) * (not of_step), 2, 3)
    backend = aot_autograd(fw_compiler=noting, bw_compiler=noting)
    with torch._dynamo.config.patch(allow_rnn=allow_rnn):
        assert_same(torch.compile(module, backend=backend, fullgraph=True), module, input)
        assert torch._dynamo.config.allow_rnn == allow_rnn
    assert [name for name in names if "elman" in name] == ["elman.layer.default", "elman.layer_backward.default"]
    assert not [name for name in names if "mm" in name or "tanh" in name or "rnn" in name or "sigmoid" in name]


def test_dynamo_goes_on_breaking_the_graph_at_layers_of_pytorch() -> None:
    theirs, ours = torch.nn.GRU(3, 5), elman.nn.GRU(3, 5)
    torch.compile(ours, backend="eager", fullgraph=True)(torch.randn(4, 2, 3))
    with pytest.raises(torch._dynamo.exc.Unsupported):
        torch.compile(theirs, backend="eager", fullgraph=True)(torch.randn(4, 2, 3))


@pytest.mark.parametrize("kind", LAYERS)
def test_lengths_and_batches_that_change_compile_once_more_and_then_never(kind: str) -> None:
    module, counter = getattr(elman.nn, kind)(3, 5, batch_first=True), CompileCounter()
    compiled = torch.compile(module, backend=counter, fullgraph=True)
    for batch, steps in ((2, 4), (3, 7), (5, 6), (8, 30), (4, 9)):
        compiled(torch.randn(batch, steps, 3))
    assert counter.frame_count == 2


@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_marked_dynamic_compiles_once(kind: str) -> None:
    module, counter = getattr(elman.nn, kind)(3, 5), CompileCounter()
    compiled = torch.compile(module, backend=counter, fullgraph=True)
    for steps, batch in ((4, 2), (7, 3), (30, 8)):
        input = torch.randn(steps, batch, 3)
        torch._dynamo.mark_dynamic(input, 0)
        torch._dynamo.mark_dynamic(input, 1)
        assert torch.equal(compiled(input)[0], module(input)[0])
    assert counter.frame_count == 1


def test_lengths_are_no_part_of_what_is_compiled() -> None:
    module, counter = elman.nn.LSTM(3, 5), CompileCounter()
    compiled = torch.compile(module, backend=counter, fullgraph=True)
    input = torch.randn(4, 3, 3)
    for lengths in ([4, 2, 0], [1, 1, 3], [4, 4, 4]):
        given = torch.tensor(lengths)
        assert torch.equal(compiled(input, lengths=given)[0], module(input, lengths=given)[0])
    assert counter.frame_count == 1
    with pytest.raises(ValueError, match="lengths: expected 0 to 4, the steps of input, got 5"):
        compiled(input, lengths=torch.tensor([1, 5, 2]))


def test_lengths_and_resets_are_lists_and_arrays_in_what_is_compiled_too() -> None:
    module, input = elman.nn.GRU(3, 5), torch.randn(4, 2, 3)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    lengths, resets = [4, 2], [[True, False], [False, False], [False, True], [True, False]]
    for given in ({"lengths": lengths, "resets": resets}, {"lengths": np.array(lengths), "resets": np.array(resets)}):
        assert torch.equal(compiled(input, **given)[0], module(input, **given)[0])


@pytest.mark.parametrize("kind", LAYERS)
def test_a_sorted_packed_input_needs_no_states(kind: str) -> None:
    layer = getattr(elman.nn, kind)(3, 5, learn_initial_state=True)
    packed = pack_padded_sequence(torch.randn(4, 2, 3), torch.tensor([4, 2]))
    found, expected = (
        model(packed, return_states=True)
        for model in (torch.compile(layer, backend="aot_eager", fullgraph=True), layer)
    )
    assert type(found[0]) is type(packed)
    of_both = zip(tree_leaves(found), tree_leaves(expected), strict=True)
    assert all(b is None if a is None else torch.equal(a, b) for a, b in of_both)


@pytest.mark.parametrize("kind", [*RECURRENT, "Linear"])
def test_compiled_autograd_after_eager_calls_has_the_engines_gradients(kind: str) -> None:
    module, counter = getattr(elman.nn, kind)(3, 5), CompileCounterWithBackend("aot_eager")
    compiled = []
    for _ in range(3):
        input = torch.randn(4, 3, requires_grad=True)

        def gradients(context: Any, input: Tensor = input) -> list[Tensor]:
            loss = sum(x.square().sum() for x in tree_leaves(module(input)))
            with context:
                loss.backward()
            found = [x.grad.clone() for x in (input, *module.parameters())]
            input.grad = None
            module.zero_grad()
            return found

        eager = gradients(nullcontext())
        assert all(map(torch.equal, gradients(compiling_autograd(torch.compile(backend=counter))), eager))
        compiled.append(counter.frame_count)
        with torch.no_grad():
            for weight in module.parameters():
                weight.mul_(0.5)
    assert len({*compiled}) == 1  # other numbers need no compilation


def test_a_compiled_model_trains() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), elman.nn.RNN(3, 5, 2, batch_first=True))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    losses = []
    input = torch.randn(2, 6, 3)
    for _ in range(3):
        optimizer.zero_grad()
        loss = compiled(input)[0].square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


def dropping(kind: str) -> torch.nn.Module:
    return getattr(elman.nn, kind)(3, 5, 3, dropout=0.4)  # type: ignore[no-any-return]


DROPPED = {
    "lengths": {"lengths": torch.tensor([2, 6, 0])},
    "resets": {"resets": torch.tensor([[1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]]).bool()},
    "all full": {"lengths": torch.tensor([6, 6, 6])},
    "all empty": {"lengths": torch.tensor([0, 0, 0])},
}
DROPPED["both"] = DROPPED["lengths"] | DROPPED["resets"]


@pytest.mark.parametrize(("kind", "asked"), [("GRU", "lengths"), ("RNN", "resets"), *(("LSTM", by) for by in DROPPED)])
def test_dropout_of_lengths_and_resets_draws_the_masks_of_eager_calls(kind: str, asked: str) -> None:
    module = dropping(kind)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    found = [
        [*results(partial(function, **DROPPED[asked]), module, torch.ones(6, 3, 3), ()), torch.rand(3)]
        for function in (compiled, module)
    ]
    assert all(map(torch.equal, *found))


def test_equal_calls_in_one_graph_drop_by_masks_of_their_own() -> None:
    module, lengths = dropping("GRU"), torch.tensor([6, 4])

    def twice(x: Tensor) -> Any:
        return module(x, lengths=lengths)[0], module(x, lengths=lengths)[0]

    for function in (twice, torch.compile(twice, backend="aot_eager", fullgraph=True)):
        assert not torch.equal(*function(torch.randn(6, 2, 3)))


def test_a_checkpoint_draws_the_same_masks_again() -> None:
    module, lengths = dropping("GRU"), torch.tensor([6, 4])

    def plain(x: Tensor) -> Any:
        return module(x, lengths=lengths)

    def kept(x: Tensor) -> Any:
        return checkpoint(plain, x, use_reentrant=False)

    compiled = torch.compile(kept, backend="aot_eager", fullgraph=True)
    assert all(map(torch.equal, *(results(f, module, torch.ones(6, 2, 3), ()) for f in (compiled, plain))))


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_members_of_a_compiled_vmap_drop_as_they_are_asked_to(randomness: str) -> None:
    module, lengths = dropping("GRU"), torch.tensor([6, 4])
    of_members = vmap(lambda x: module(x, lengths=lengths)[0], randomness=randomness)
    found = torch.compile(of_members, backend="aot_eager", fullgraph=True)(torch.ones(2, 6, 2, 3))
    assert torch.equal(*found) == (randomness == "same")
    assert not found[:, 4:, 1].any()


def test_dropout_of_members_is_refused_where_a_vmap_allows_nothing_random() -> None:
    module, lengths = dropping("GRU"), torch.tensor([6, 4])
    of_members = vmap(lambda x: module(x, lengths=lengths)[0])
    with pytest.raises(torch._dynamo.exc.TorchRuntimeError, match="randomness error mode"):
        torch.compile(of_members, backend="aot_eager", fullgraph=True)(torch.ones(2, 6, 2, 3))


@pytest.mark.slow  # a C++ compiler runs
def test_inductor_compiles_a_model_of_layers_and_cells() -> None:
    module, *given = with_lengths("LSTM")
    assert_same(torch.compile(module, fullgraph=True), module, *given)


@pytest.mark.parametrize("kind", RECURRENT)
def test_fake_tensors_go_through_the_operators(kind: str) -> None:
    with torch._subclasses.FakeTensorMode():
        module, input = getattr(elman.nn, kind)(3, 5), torch.randn(*(4,) * (not kind.endswith("Cell")), 2, 3)
        output = output_of(module(input))
        assert output.shape == (*input.shape[:-1], 5)
        output.sum().backward()
    assert {p.grad.shape for p in module.parameters()} == {p.shape for p in module.parameters()}


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM", "LSTMCell"])
def test_a_vmap_compiles_whole_and_what_is_compiled_goes_under_vmap(kind: str) -> None:
    module, input = getattr(elman.nn, kind)(3, 5), torch.randn(3, *(4,) * (not kind.endswith("Cell")), 2, 3)
    expected = tree_leaves(vmap(module)(input))
    inside = torch.compile(vmap(module), backend="aot_eager", fullgraph=True)
    outside = vmap(torch.compile(module, backend="aot_eager"))  # not fullgraph: PyTorch refuses all of that kind
    for function in (inside, outside):
        assert all(map(torch.equal, tree_leaves(function(input)), expected))


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNNCell"])
def test_forward_mode_compiles_whole(kind: str) -> None:
    module, input = getattr(elman.nn, kind)(3, 5), torch.randn(*(4,) * (not kind.endswith("Cell")), 2, 3)

    def tangents(x: Tensor) -> Any:
        return jvp(lambda x: output_of(module(x)), (x,), (x,))

    compiled = torch.compile(tangents, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(input), tangents(input))


@pytest.mark.parametrize("kind", RECURRENT)
def test_transforms_of_fake_tensors_go_through_the_operators(kind: str) -> None:
    with torch._subclasses.FakeTensorMode():
        module, input = getattr(elman.nn, kind)(3, 5), torch.randn(3, *(4,) * (not kind.endswith("Cell")), 2, 3)
        assert output_of(vmap(module)(input)).shape == (*input.shape[:-1], 5)
        of_each = vmap(grad(lambda x: output_of(module(x)).square().sum()))(input)
        assert of_each.shape == input.shape
        if not kind.endswith("Cell"):
            found = vmap(lambda x: module(x, lengths=torch.tensor([1, 4])))(input)
            assert output_of(found).shape == (*input.shape[:-1], 5)
        _, tangent = jvp(lambda x: output_of(module(x)), (input[0],), (input[0],))
        assert tangent.shape == (*input.shape[1:-1], 5)
