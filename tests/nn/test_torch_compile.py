"""torch.compile runs over the layers and changes no number; a graph break is allowed."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import elman.nn
from tests.nn.cases import assert_same_numbers


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def results(model: Any, layer: torch.nn.Module, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    input = torch.randn(shape, requires_grad=True)
    output = model(input)
    output = output[0] if isinstance(output, tuple) else output
    grads = torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])
    return {"output": output, **{str(i): g for i, g in enumerate(grads)}}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")
@pytest.mark.parametrize("allow_rnn", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "RNNCell"])
def test_a_compiled_model_gives_the_numbers_of_an_eager_one(kind: str, allow_rnn: bool) -> None:
    layer = getattr(elman.nn, kind)(3, 5)
    shape = (4, 2, 3) if kind == "RNN" else (2, 3)

    def model(input: torch.Tensor) -> Any:
        return layer(input * 2)

    with torch._dynamo.config.patch(allow_rnn=allow_rnn):
        compiled = torch.compile(model, backend="aot_eager")
        assert_same_numbers(results(compiled, layer, shape), results(model, layer, shape))
        shape = (*shape[:-2], 7, 3)
        assert_same_numbers(results(compiled, layer, shape), results(model, layer, shape))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")
def test_a_compiled_layer_inside_a_model_trains() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), elman.nn.RNN(3, 5, 2, batch_first=True))
    compiled = torch.compile(model, backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
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
