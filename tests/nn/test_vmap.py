"""``torch.func.vmap`` over the layers and cells: the numbers of a loop, by one call of the engine where it can be."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jacfwd, jacrev, stack_module_state, vmap
from torch.nn.utils.rnn import pack_padded_sequence

import elman.nn
from tests.nn.cases import output_of
from tests.nn.small import KINDS, as_function, made

# PyTorch's own forward mode, to itself
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

LAYERS = [kind for kind in KINDS if not kind.endswith("Cell")]
DEEP: dict[str, Any] = {"num_layers": 2, "bidirectional": True}
kinds = pytest.mark.parametrize("kind", KINDS)
layers = pytest.mark.parametrize("kind", LAYERS)


def flat(result: Any) -> list[Tensor]:
    """The output and the final states."""
    return [result] if isinstance(result, Tensor) else [tensor for part in result for tensor in flat(part)]


def assert_bits(found: Any, expected: Iterable[Any]) -> None:
    for one, *others in zip(flat(found), *map(flat, expected), strict=True):
        assert torch.equal(one, torch.stack(others))


def assert_close(found: dict[str, Tensor], expected: Iterable[dict[str, Tensor]]) -> None:
    expected = [*expected]
    for name, one in found.items():
        others = torch.stack([other[name] for other in expected])
        torch.testing.assert_close(one, others, rtol=1e-5, atol=1e-5)


def squares(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *given: f(*given).square().sum()


@kinds
def test_over_inputs_it_is_one_call_with_the_bits_of_a_loop(kind: str, engine_calls: list[str]) -> None:
    layer, input, hx = made(elman.nn, kind)
    inputs = torch.randn(3, *input.shape)
    found = vmap(lambda x: layer(x, hx))(inputs)
    assert engine_calls == ["forward"]
    assert_bits(found, [layer(x, hx) for x in inputs])


@kinds
def test_of_no_members_there_are_empty_results(kind: str) -> None:
    layer, input, _ = made(elman.nn, kind)
    none, (run, weights) = torch.empty(0, *input.shape), as_function(layer)
    assert [x.shape for x in flat(vmap(layer)(none))] == [(0, *x.shape) for x in flat(layer(input))]
    no_weights = {name: x.new_empty(0, *x.shape) for name, x in weights.items()}
    for given, dims in (((weights, none), (None, 0)), ((no_weights, input), (0, None))):
        each = vmap(grad(squares(run)), in_dims=dims)(*given)
        assert {name: x.shape for name, x in each.items()} == {name: (0, *x.shape) for name, x in weights.items()}
    total = grad(lambda weights: vmap(run, in_dims=(None, 0))(weights, none).sum())(weights)
    assert all(torch.equal(x, torch.zeros_like(x)) for x in total.values())


@layers
def test_of_no_members_with_lengths_there_are_empty_results(kind: str) -> None:
    layer = getattr(elman.nn, kind)(3, 5, 2, dropout=0.5)
    none, lengths = torch.empty(0, 4, 2, 3), torch.tensor([4, 2])
    shared = vmap(lambda x: layer(x, lengths=lengths), randomness="different")(none)
    own = vmap(lambda x, lengths: layer(x, lengths=lengths), randomness="different")(none, lengths.new_empty(0, 2))
    for found in (shared, own):
        assert [x.shape for x in flat(found)] == [(0, *x.shape) for x in flat(layer(none.new_empty(4, 2, 3)))]


@kinds
def test_over_states_it_is_one_call_with_the_bits_of_a_loop(kind: str, engine_calls: list[str]) -> None:
    layer, input, hx = made(elman.nn, kind)
    states = [tuple(s * i for s in hx) if isinstance(hx, tuple) else hx * i for i in range(3)]
    stacked = tuple(map(torch.stack, zip(*states, strict=True))) if isinstance(hx, tuple) else torch.stack(states)
    found = vmap(lambda h: layer(input, h))(stacked)
    assert engine_calls == ["forward"]
    assert_bits(found, [layer(input, h) for h in states])


@pytest.mark.parametrize("batch_first", [False, True])
@layers
def test_any_dimension_may_be_the_one_of_the_members(kind: str, batch_first: bool) -> None:
    layer, input, _ = made(elman.nn, kind, batch_first=batch_first, bias=False, **DEEP)
    inputs = torch.randn(3, *input.shape)
    found = vmap(lambda x: layer(x)[0], in_dims=2, out_dims=-1)(inputs.movedim(0, 2))
    assert_bits(found.movedim(-1, 0), [layer(x)[0] for x in inputs])
    unbatched = inputs[:, :, 0]
    assert_bits(vmap(layer, in_dims=1)(unbatched.transpose(0, 1)), map(layer, unbatched))


@kinds
def test_an_ensemble_has_a_call_for_each_member_and_the_bits_of_each(kind: str, engine_calls: list[str]) -> None:
    options = {} if kind.endswith("Cell") else DEEP
    models = [made(elman.nn, kind)[0], *(getattr(elman.nn, kind)(3, 5) for _ in range(2))]
    if options:
        models = [getattr(elman.nn, kind)(3, 5, **options) for _ in range(3)]
    _, input, _ = made(elman.nn, kind)
    base = copy.deepcopy(models[0]).to("meta")

    def run(weights: Any, x: Tensor) -> Any:
        return functional_call(base, weights, (x,))

    weights, _ = stack_module_state(models)
    found = vmap(run, in_dims=(0, None))(weights, input)
    assert engine_calls == ["forward"] * 3 * (2 if options else 1)
    assert_bits(found, [model(input) for model in models])
    inputs = torch.randn(3, *input.shape)
    assert_bits(vmap(run)(weights, inputs), [model(x) for model, x in zip(models, inputs, strict=True)])
    # and each learns as it does alone
    output_of(vmap(run)(weights, inputs)).square().sum().backward()
    for name, stacked in weights.items():
        alone = [
            torch.autograd.grad(output_of(model(x)).square().sum(), model.get_parameter(name))[0]
            for model, x in zip(models, inputs, strict=True)
        ]
        torch.testing.assert_close(stacked.grad, torch.stack(alone))


@kinds
def test_gradients_of_each_sample_are_two_calls_with_the_numbers_of_a_loop(kind: str, engine_calls: list[str]) -> None:
    layer, input, _ = made(elman.nn, kind)
    f, weights = as_function(layer)
    samples = torch.randn(*input.shape[:-2], 6, 3)
    gradients = grad(squares(f))
    found = vmap(gradients, in_dims=(None, samples.dim() - 2))(weights, samples)
    assert engine_calls == ["forward", "backward"]
    assert_close(found, [gradients(weights, x) for x in samples.unbind(-2)])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@layers
def test_gradients_of_each_sample_of_deep_layers_and_packed_rows(kind: str, batch_first: bool, bias: bool) -> None:
    layer, input, hx = made(elman.nn, kind, torch.float64, bias=bias, batch_first=batch_first, **DEEP)
    f, weights = as_function(layer)
    inputs = torch.randn(3, *input.shape, dtype=torch.float64)
    if batch_first:
        inputs = inputs.transpose(1, 2)
    gradients = grad(lambda w, x: f(w, x, hx).square().sum())
    assert_close(vmap(gradients, in_dims=(None, 0))(weights, inputs), [gradients(weights, x) for x in inputs])

    packing = pack_padded_sequence(torch.zeros(4, 2, 3), torch.tensor([2, 4]), enforce_sorted=False)
    rows = torch.randn(3, 6, 3, dtype=torch.float64)

    def of_packed(w: Any, x: Tensor) -> Tensor:
        output, final = functional_call(layer, w, (packing._replace(data=x), hx))
        return output.data.square().sum() + sum(state.sum() for state in flat(final))

    gradients = grad(of_packed)
    assert_close(vmap(gradients, in_dims=(None, 0))(weights, rows), [gradients(weights, x) for x in rows])
    assert_bits(
        vmap(lambda x: functional_call(layer, weights, (packing._replace(data=x), hx))[0].data)(rows),
        [layer(packing._replace(data=x), hx)[0].data for x in rows],
    )


@kinds
def test_the_weights_own_requires_grad_is_no_hindrance(kind: str) -> None:
    """What is not detached learns through the gradients of each sample, too."""
    layer, input, _ = made(elman.nn, kind, torch.float64)
    weights = dict(layer.named_parameters())
    f, _ = as_function(layer)

    def penalty(each: Callable[..., Any]) -> Tensor:
        gradients = each(grad(squares(f)))
        total: Any = sum(gradient.square().sum() for gradient in gradients.values())
        return torch.autograd.grad(total, list(weights.values()))

    inputs = input.detach().unsqueeze(-2)
    batch = inputs.dim() - 3
    found = penalty(lambda g: vmap(g, in_dims=(None, batch))(weights, inputs))
    loops = [penalty(lambda g, x=x: g(weights, x)) for x in inputs.unbind(batch)]
    for one, *others in zip(found, *loops, strict=True):
        torch.testing.assert_close(one, sum(others))


@kinds
def test_nested_transforms_give_the_numbers_of_loops(kind: str) -> None:
    layer, input, _ = made(elman.nn, kind, torch.float64)
    f, weights = as_function(layer)
    inputs = torch.randn(2, 3, *input.shape, dtype=torch.float64)

    def outer(w: Any, x: Tensor) -> Tensor:
        return vmap(f, in_dims=(None, 0))(w, x)

    assert_bits(vmap(outer, in_dims=(None, 0))(weights, inputs), [outer(weights, x) for x in inputs])

    gradients = grad(squares(f))
    twice = vmap(vmap(gradients, in_dims=(None, 0)), in_dims=(None, 0))(weights, inputs)
    each = [gradients(weights, x) for x in inputs.flatten(0, 1)]
    assert_close({name: g.flatten(0, 1) for name, g in twice.items()}, each)

    # an inner step of learning for each of some tasks, and the gradient through all of them
    def learnt(w: Any, x: Tensor) -> Tensor:
        return squares(f)({name: w[name] - 0.1 * g for name, g in gradients(w, x).items()}, x)

    tasks = inputs[0]
    found = grad(lambda w: vmap(learnt, in_dims=(None, 0))(w, tasks).sum())(weights)
    torch.testing.assert_close(found, grad(lambda w: sum(learnt(w, x) for x in tasks))(weights))

    jacobians = jacrev(f)
    found = vmap(jacobians, in_dims=(None, 0))(weights, tasks)
    assert_close(found, [jacobians(weights, x) for x in tasks])
    of_inputs = vmap(jacrev(f, argnums=1), in_dims=(None, 0))(weights, tasks)
    torch.testing.assert_close(of_inputs, torch.stack([jacfwd(f, argnums=1)(weights, x) for x in tasks]))


def test_dropout_draws_as_randomness_says() -> None:
    layer = elman.nn.GRU(3, 5, 2, dropout=0.5)
    inputs = torch.randn(4, 2, 3).expand(3, 4, 2, 3)
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(layer)(inputs)
    one, *others = vmap(layer, randomness="same")(inputs)[0]
    assert all(torch.equal(one, other) for other in others)
    one, *others = vmap(layer, randomness="different")(inputs)[0]
    assert not any(torch.equal(one, other) for other in others)
    assert_bits(vmap(layer.eval())(inputs), map(layer, inputs))


@kinds
def test_what_the_engine_does_not_take_goes_by_the_equations(kind: str, engine_calls: list[str]) -> None:
    layer, input, _ = made(elman.nn, kind, torch.bfloat16)
    inputs = torch.randn(3, *input.shape, dtype=torch.bfloat16)
    found = output_of(vmap(layer)(inputs))
    torch.testing.assert_close(found, torch.stack([output_of(layer(x)) for x in inputs]), rtol=0.05, atol=0.05)
    layer, input, _ = made(elman.nn, kind)
    engine_calls.clear()
    f, weights = as_function(layer)
    tangents = vmap(jacfwd(f, argnums=1), in_dims=(None, 0))(weights, torch.stack([input, 2 * input]))
    assert engine_calls == []
    torch.testing.assert_close(tangents[1], jacrev(f, argnums=1)(weights, 2 * input))


def test_bad_input_is_refused_in_pytorchs_words() -> None:
    layer = elman.nn.LSTM(3, 5)
    with pytest.raises(RuntimeError, match=r"must be equal to input_size. Expected 3, got 4"):
        vmap(layer)(torch.zeros(2, 4, 2, 4))
    with pytest.raises(RuntimeError, match=r"Expected hidden\[0\] size"):
        vmap(lambda x: layer(x, (torch.zeros(1, 3, 5), torch.zeros(1, 3, 5))))(torch.zeros(2, 4, 2, 3))
    with pytest.warns(UserWarning, match="_pack_padded"), pytest.raises(RuntimeError, match="vmap"):
        vmap(lambda x: layer(pack_padded_sequence(x, torch.tensor([4, 2]))))(torch.zeros(2, 4, 2, 3))


def test_a_batch_of_no_rows_and_a_view_of_negated_numbers() -> None:
    layer = elman.nn.GRU(3, 5)
    assert vmap(layer)(torch.zeros(2, 4, 0, 3))[0].shape == (2, 4, 0, 5)
    f, weights = as_function(layer)
    found = vmap(grad(squares(f)), in_dims=(None, 0))(weights, torch.zeros(2, 4, 0, 3))
    assert all(not gradient.any() for gradient in found.values())
    inputs = torch.randn(2, 4, 1, 3)
    assert_bits(vmap(layer)(torch._neg_view(inputs)), map(layer, -inputs))


@layers
def test_the_arguments_that_pytorchs_layers_lack_work_under_vmap_too(kind: str) -> None:
    options: dict[str, Any] = {"num_layers": 2, "residual": True, "learn_initial_state": True}
    layer = getattr(elman.nn, kind)(3, 5, **options)
    asked = {"lengths": torch.tensor([4, 2]), "resets": torch.tensor([[0, 1], [0, 0], [1, 0], [0, 0]]) > 0}
    inputs = torch.randn(3, 4, 2, 3)
    assert_bits(vmap(lambda x: layer(x, **asked))(inputs), [layer(x, **asked) for x in inputs])
    found = vmap(lambda x: layer(x, return_states=True))(inputs)
    for one, *others in zip(flat(found), *(flat(layer(x, return_states=True)) for x in inputs), strict=True):
        torch.testing.assert_close(one, torch.stack(others))
    weights = {name: p.detach() for name, p in layer.named_parameters()}
    gradients = grad(lambda w, x: functional_call(layer, w, (x,), asked)[0].square().sum())
    assert_close(vmap(gradients, in_dims=(None, 0))(weights, inputs), [gradients(weights, x) for x in inputs])
    cell = getattr(elman.nn, f"{kind}Cell")(3, 5)
    steps, reset = torch.randn(3, 2, 3), torch.tensor([True, False])
    hx = torch.ones(2, 5) if kind != "LSTM" else (torch.ones(2, 5), torch.ones(2, 5))
    assert_bits(vmap(lambda x: cell(x, hx, reset=reset))(steps), [cell(x, hx, reset=reset) for x in steps])
