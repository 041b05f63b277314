"""``torch.jit``, ``torch.fx`` and ``torch.export``: each gives what it gives with torch.nn."""

import warnings
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from tests.nn.cases import output_of
from tests.nn.small import KINDS, Way, assert_as_with_torch, made


def traced(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.trace(layer, (input.detach(), state))
    return output_of(program(2 * input, state))


def scripted(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.script(layer)
        found = program(input, state)
        packed = program(pack_padded_sequence(input, torch.tensor([4, 2])))[1] if input.dim() == 3 else 0
        layer(input)  # the layer itself is none the worse for it
    return found, packed, type(layer).__module__ == nn.__name__ or nn is torch.nn


def scripted_inside_a_model(nn: ModuleType, kind: str) -> Any:
    class Model(torch.nn.Module):
        def __init__(self, layer: torch.nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[0]

    layer, input, _ = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(Model(layer))(input)


def fx_leaf(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    program = torch.fx.symbolic_trace(model)
    return output_of(program(input)), str([node.op for node in program.graph.nodes])


def fx_itself(nn: ModuleType, kind: str) -> Any:
    layer, _, _ = made(nn, kind)
    try:
        torch.fx.symbolic_trace(layer)
    except (TypeError, torch.fx.proxy.TraceError) as error:
        return len(str(error).splitlines())
    return "traced"


def exported(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    program = torch.export.export(layer.eval(), (input.detach(), state))
    return output_of(program.module()(2 * input.detach(), state))


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        traced,
        scripted,
        scripted_inside_a_model,
        fx_leaf,
        fx_itself,
        exported,
    )
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_gives_what_it_gives_with_torch(way: Way, kind: str) -> None:
    if way is exported and not kind.endswith("Cell") and torch.__version__[:4] in ("2.4.", "2.5.", "2.6.", "2.7."):
        pytest.skip("PyTorch up to 2.7 exports no subclass of its RNN")
    assert_as_with_torch(way, kind)
