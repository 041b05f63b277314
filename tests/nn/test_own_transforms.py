"""Cells of one's own under what looks into a program: compiled, exported, transformed, their engine's bits stay."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter
from torch.autograd import forward_ad
from torch.export import Dim, export
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, stack_module_state, vmap
from torch.library import opcheck
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

import elman.nn
from elman import cells
from elman.cells import LSTM, Cell, learned, sigma, tanh
from elman.ops._arguments import Arguments
from tests.nn.test_recurrent import Driven, FedBack, driven

# PyTorch's own: dynamo's, of an input that is no leaf, its forward mode and its exporter, to themselves
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:The .grad attribute:UserWarning"
)


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Damped(Cell):
    """One state, learned by unit, with gates together and apart."""

    gates = ("z", "a")

    def step(self, z: Any, a: Any, h: Any, leak: Any) -> Any:
        return (1 - leak) * h + leak * tanh(a.input + sigma(z) * a.recurrent)


CELLS = {
    "driven": driven,
    "damped": lambda: Damped(leak=learned(0.3)),
    "lstm": LSTM,
    "alone": cells.IndRNN,
    "voltage": FedBack,
    "masked": lambda: cells.RecurrentDropout(cells.Zoneout(cells.GRU(), 0.2), 0.3),
}
each_cell = pytest.mark.parametrize("name", CELLS)


def made(name: str, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    torch.manual_seed(1)
    return elman.nn.Recurrent(CELLS[name](), 3, 4, dtype=dtype, **options).eval()  # nothing is drawn


def given(layer: Any, steps: int = 5, batch: int = 2, members: tuple[int, ...] = ()) -> tuple[Tensor, dict[str, Any]]:
    """An input, and what else the cell asks for."""
    dtype = layer.weight_ih_l0.dtype
    x = torch.randn(*members, steps, batch, 3, dtype=dtype)
    if not isinstance(layer.cell, Driven):
        return x, {}
    return x, {
        "noise": torch.randn(*members, steps, batch, 4, dtype=dtype),
        "mask": torch.rand(*members, batch, 4, dtype=dtype),
    }


def results(function: Callable[..., Any], layer: Any, x: Tensor, more: dict[str, Any]) -> list[Tensor]:
    """What comes out, and the gradients of the input and the parameters."""
    x = x.detach().requires_grad_()
    found = [y for y in tree_leaves(function(x, **more)) if isinstance(y, Tensor)]
    loss = sum(((i + 1) * y.square().sum() for i, y in enumerate(found)), torch.zeros(()))
    return [*found, *torch.autograd.grad(loss, [x, *layer.parameters()])]


def assert_bits(ours: Any, expected: Any) -> None:
    pairs = [*zip(tree_leaves(ours), tree_leaves(expected), strict=True)]
    assert pairs
    assert all(torch.equal(one, other) for one, other in pairs)


def assert_close(ours: Any, expected: Any) -> None:
    for one, other in zip(tree_leaves(ours), tree_leaves(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "lengths": {"lengths": torch.tensor([3, 0])},
    "resets": {"resets": torch.tensor([[0, 1], [0, 0], [1, 0], [0, 1], [0, 0]]).bool()},
    "states": {"return_states": True},
}


@pytest.mark.parametrize("asked", ASKED)
@each_cell
def test_a_whole_graph_has_the_bits_of_eager_calls(name: str, asked: str) -> None:
    layer = made(name, num_layers=2, bidirectional=asked != "resets", learn_initial_state=True)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x, more = given(layer)
    more |= ASKED[asked]
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    ours, eager = results(compiled, layer, x, more), results(layer, layer, x, more)
    if (name, asked) == ("masked", "resets"):  # the learned states' gradients are added up by sequences, not by pieces
        assert_bits(ours[0], eager[0])
        assert_close(ours, eager)
    else:
        assert_bits(ours, eager)


def test_steps_and_batches_that_change_compile_once_more_and_then_never() -> None:
    layer, counter = made("driven"), CompileCounter()
    compiled = torch.compile(layer, backend=counter, fullgraph=True)
    for batch, steps in ((2, 4), (3, 7), (5, 6), (8, 30), (4, 9)):
        x, more = given(layer, steps, batch)
        assert torch.equal(compiled(x, **more)[0], layer(x, **more)[0])
    assert counter.frame_count == 2


def test_learned_states_that_are_masked_are_begun_from_at_resets_by_each_member_of_a_compiled_vmap() -> None:
    layer = made("masked", learn_initial_state=True).train()
    torch.nn.init.normal_(layer.h_0_l0)
    mask, noise = torch.rand(2, 4), torch.rand(3, 5, 2, 4)
    x, _ = given(layer, members=(3,))

    def of_each(x: Tensor, noise: Tensor) -> Any:
        return layer(x, recurrent_mask=mask, zoneout_h=noise, **ASKED["resets"])[0]

    compiled = torch.compile(vmap(of_each), backend="aot_eager", fullgraph=True)
    assert_bits(compiled(x, noise), torch.stack([*map(of_each, x, noise)]))


@pytest.mark.parametrize("draw", [torch.Tensor.normal_, torch.randn_like, torch.Tensor.uniform_])
def test_directions_draw_noise_of_their_own_compiled_as_in_eager_calls(draw: Callable[[Tensor], Tensor]) -> None:
    class Noise(Cell):
        step_inputs = ("noise",)

        def step(self, a: Any, h: Any, noise: Any) -> Any:
            return 0 * a + noise

        def draw(self, name: str, empty: Any, training: bool) -> Any:
            return draw(empty)

    layer, x = elman.nn.Recurrent(Noise(), 3, 4, bidirectional=True), torch.randn(1, 2, 3)
    found = []
    for function in (layer, torch.compile(layer, backend="aot_eager", fullgraph=True)):
        torch.manual_seed(1)
        found.append(function(x)[0])
        assert not torch.equal(*found[-1].chunk(2, -1))
    assert torch.equal(*found)


def test_fx_takes_a_layer_for_one_call_with_what_it_is_given() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = made("driven")

        def forward(self, x: Tensor, lengths: Tensor, noise: Tensor, mask: Tensor) -> Any:
            return self.layer(x, lengths=lengths, noise=noise, mask=mask)[0]

    model = Model()
    x, more = given(model.layer)
    lengths = torch.tensor([2] * x.shape[1])
    graph = torch.fx.symbolic_trace(model)
    assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["layer"]
    assert torch.equal(graph(x, lengths, **more), model(x, lengths, **more))


@pytest.mark.parametrize("again", [lambda layer: pickle.loads(pickle.dumps(layer)), copy.deepcopy])
def test_a_layer_from_a_pickle_or_copied_is_compiled_before_it_has_run(again: Callable[[Any], Any]) -> None:
    layer = again(elman.nn.Recurrent(cells.MinimalGatedUnit(), 3, 4))
    x = torch.randn(5, 2, 3)
    assert torch.equal(torch.compile(layer, backend="eager", fullgraph=True)(x)[0], layer(x)[0])


class Model(torch.nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.linear, self.layer = torch.nn.Linear(3, 3), made(name, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor, noise: Tensor | None = None, mask: Tensor | None = None) -> Any:
        more = {} if noise is None else {"noise": noise, "mask": mask}
        return self.layer(self.linear(x), lengths=lengths, **more)


@pytest.mark.parametrize("strict", [False, True])
@each_cell
def test_an_exported_program_is_saved_and_has_the_bits_of_its_model(name: str, strict: bool) -> None:
    def arguments(steps: int, lengths: list[int]) -> tuple[Any, ...]:
        x, more = given(model.layer, len(lengths), steps)
        if more:
            more["mask"] = torch.rand(len(lengths), 4)
        return x, torch.tensor(lengths), *more.values()

    model, file = Model(name), io.BytesIO()
    batch, steps = Dim("batch", min=2, max=64), Dim("steps", min=2, max=512)
    rows = {0: batch, 1: steps}
    shapes = (rows, {0: batch}, *[rows, {0: batch}][: 2 * (name == "driven")])
    torch.export.save(export(model, arguments(4, [4, 2]), dynamic_shapes=shapes, strict=strict), file)
    file.seek(0)
    again = torch.export.load(file).module()
    others = arguments(7, [7, 0, 2])
    assert_bits(again(*others), model(*others))
    for module in (again, model):
        module(*others)[0].square().sum().backward()
    of_again = dict(again.named_parameters())
    assert_bits({key: of_again[key].grad for key in of_again}, {key: model.get_parameter(key).grad for key in of_again})


@pytest.mark.slow  # a C++ compiler runs
def test_inductor_and_aotinductor_compile_a_model(tmp_path: Any) -> None:
    model = Model("driven").eval()
    x, more = given(model.layer, 2, 4)
    arguments = x, torch.tensor([4, 2]), more["noise"], torch.rand(2, 4)
    assert_bits(torch.compile(model, fullgraph=True)(*arguments), model(*arguments))
    with torch.no_grad():
        path = str(tmp_path / "model.pt2")
        torch._inductor.aoti_compile_and_package(export(model, arguments), package_path=path)
        assert_bits(torch._inductor.aoti_load_package(path)(*arguments), model(*arguments))


@pytest.mark.parametrize("name", ["driven", "damped", "lstm", "alone", "voltage"])
def test_pytorch_finds_the_registration_sound(name: str) -> None:
    layer = made(name)
    x, more = given(layer)
    program = layer.cell.program
    weights = [getattr(layer, f"{kind}_l0") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    inputs = [getattr(layer, f"{kind}_l0") for kind in program.inputs_by("unit")]
    of_states = [torch.randn(1, 2, 4, requires_grad=True), *[None] * 3]
    arguments = Arguments(x, None, None, None, *of_states, [*weights, *inputs, *more.values()], program.text, 1, True)
    opcheck(torch.ops.elman.layer.default, (*arguments, True))


def test_fake_tensors_go_through_the_operator() -> None:
    with torch._subclasses.FakeTensorMode():
        layer = made("damped")
        output, final = layer(torch.randn(5, 2, 3))
        assert (output.shape, final.shape) == ((5, 2, 4), (1, 2, 4))
        output.sum().backward()
    assert {p.grad.shape for p in layer.parameters()} == {p.shape for p in layer.parameters()}


@each_cell
def test_vmap_over_inputs_is_one_call_with_the_bits_of_a_loop(name: str, engine_calls: list[str]) -> None:
    layer = made(name, bidirectional=True)
    x, more = given(layer, members=(3,))
    found = vmap(lambda x, more: layer(x, **more))(x, more)
    assert engine_calls == ["forward"]
    alone = [layer(x[i], **{key: value[i] for key, value in more.items()}) for i in range(3)]
    assert_bits(found, [torch.stack(parts) for parts in zip(*map(tree_leaves, alone), strict=True)])


@each_cell
def test_an_ensemble_has_a_call_for_each_member_and_the_bits_of_each(name: str, engine_calls: list[str]) -> None:
    models = [elman.nn.Recurrent(CELLS[name](), 3, 4).eval() for _ in range(3)]
    base = copy.deepcopy(models[0]).to("meta")
    weights, buffers = stack_module_state(models)
    x, more = given(models[0])
    found = vmap(lambda w, b: functional_call(base, (w, b), (x,), more)[0])(weights, buffers)
    assert engine_calls == ["forward"] * 3
    assert_bits(found, torch.stack([model(x, **more)[0] for model in models]))
    found.square().sum().backward()
    for key, stacked in weights.items():
        alone = [
            torch.autograd.grad(model(x, **more)[0].square().sum(), model.get_parameter(key))[0] for model in models
        ]
        torch.testing.assert_close(stacked.grad, torch.stack(alone))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "bias": False, "learn_initial_state": True}], ids=str)
@each_cell
def test_gradients_of_each_sample_are_two_calls_with_the_numbers_of_a_loop(
    name: str, options: dict[str, Any], engine_calls: list[str]
) -> None:
    layer = made(name, torch.float64, **options)
    weights = {key: parameter.detach() for key, parameter in layer.named_parameters()}
    x, more = given(layer, members=(3,))
    gradients = grad(lambda w, x, more: functional_call(layer, w, (x,), more)[0].square().sum())
    found = vmap(gradients, in_dims=(None, 0, 0))(weights, x, more)
    assert engine_calls == ["forward", "backward"]
    alone = [gradients(weights, x[i], {key: value[i] for key, value in more.items()}) for i in range(3)]
    assert_close(found, {key: torch.stack([one[key] for one in alone]) for key in weights})


@each_cell
def test_transforms_nest_and_give_the_numbers_of_loops(name: str) -> None:
    layer = made(name, torch.float64)
    weights = {key: parameter.detach() for key, parameter in layer.named_parameters()}
    x, more = given(layer, 3)
    xs = torch.stack([x, 2 * x])

    def f(w: Any, x: Tensor) -> Tensor:
        return functional_call(layer, w, (x,), more)[0]

    def loss(w: Any, x: Tensor) -> Tensor:
        return f(w, x).square().sum()

    def learnt(w: Any, x: Tensor) -> Tensor:
        return loss({key: w[key] - 0.1 * g for key, g in grad(loss)(w, x).items()}, x)

    found = grad(lambda w: vmap(learnt, in_dims=(None, 0))(w, xs).sum())(weights)
    assert_close(found, grad(lambda w: sum(learnt(w, x) for x in xs))(weights))
    assert_close(jacrev(f, argnums=1)(weights, x), jacfwd(f, argnums=1)(weights, x))
    of_each = vmap(jacrev(f), in_dims=(None, 0))(weights, xs)
    assert_close({key: jacobians[1] for key, jacobians in of_each.items()}, jacrev(f)(weights, xs[1]))
    twice = vmap(vmap(f, in_dims=(None, 0)), in_dims=(None, 0))(weights, torch.stack([xs, 3 * xs]))
    assert_bits(twice, torch.stack([torch.stack([f(weights, k * x) for x in xs]) for k in (1, 3)]))


def test_lengths_and_states_under_vmap_are_those_of_each() -> None:
    layer = made("lstm", num_layers=2, learn_initial_state=True)
    x, _ = given(layer, members=(3,))
    for asked in (ASKED["lengths"], ASKED["resets"], ASKED["states"]):
        found = vmap(lambda x, asked=asked: layer(x, **asked))(x)
        alone = [layer(one, **asked) for one in x]
        assert_bits(found, [torch.stack(parts) for parts in zip(*map(tree_leaves, alone), strict=True)])


def test_a_compiled_vmap_runs_the_engine_once() -> None:
    layer = made("damped")
    x, _ = given(layer, members=(3,))
    found = torch.compile(lambda x: vmap(lambda x: layer(x)[0])(x), backend="aot_eager", fullgraph=True)(x)
    assert_bits(found, torch.stack([layer(one)[0] for one in x]))


@each_cell
def test_forward_mode_has_the_derivatives_of_backward_mode(name: str) -> None:
    layer = made(name, torch.float64)
    x, more = given(layer, 3)
    tangent = torch.randn_like(x)
    _, found = jvp(lambda x: layer(x, **more)[0], (x,), (tangent,))
    expected = torch.einsum("sbutci,tci->sbu", jacrev(lambda x: layer(x, **more)[0])(x), tangent)
    torch.testing.assert_close(found, expected)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, tangent)
        torch.testing.assert_close(forward_ad.unpack_dual(layer(dual, **more)[0]).tangent, found)


@each_cell
def test_checkpoints_and_written_outputs_have_the_bits_of_plain_calls(name: str) -> None:
    layer = made(name, bidirectional=True)
    x, more = given(layer)
    plain = results(lambda x, **more: layer(x, **more)[0].square(), layer, x, more)

    def written(x: Tensor, **more: Any) -> Tensor:
        output = layer(x, **more)[0]
        before = output.clone()
        with torch.no_grad():
            output.zero_()
        return before.square()

    for way in (
        lambda x, **more: checkpoint(lambda x: layer(x, **more)[0].square(), x, use_reentrant=False),
        written,
    ):
        assert_bits(results(way, layer, x, more), plain)
