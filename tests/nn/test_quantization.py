"""Quantization goes by a module's very class: ours are quantized where PyTorch's are, and stay ours where not."""

import contextlib
import warnings
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import elman.nn
from elman.nn._pytorch import RECURRENT

quantization = pytest.importorskip("torch.ao.quantization")

X = torch.arange(8.0).reshape(2, 4).sin()


class Model(nn.Module):
    def __init__(self, nn: ModuleType) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.linear, self.rnn = nn.RNNCell(4, 6), nn.Linear(6, 3), nn.RNN(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.linear(self.cell(x)))[0]


@pytest.fixture(autouse=True)
def _old_warnings_ignored() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def kinds(model: nn.Module) -> list[str]:
    """``quantized``, ``elman`` or ``torch`` for each layer."""
    modules = [type(layer).__module__ for layer in model.children()]
    return ["quantized" if "quantized" in module else module.split(".")[0] for module in modules]


SPECS = [
    ({}, ["quantized", "quantized", "elman"]),
    ({"dtype": torch.float16}, ["quantized", "quantized", "elman"]),
    ({"qconfig_spec": {nn.RNNCell}}, ["quantized", "elman", "elman"]),
    ({"qconfig_spec": {elman.nn.RNNCell}}, ["quantized", "elman", "elman"]),
    ({"qconfig_spec": {nn.Linear, nn.LSTM}}, ["elman", "quantized", "elman"]),
    ({"qconfig_spec": {"cell"}}, ["quantized", "elman", "elman"]),
]


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("arguments", "expected"), SPECS)
def test_quantize_dynamic_quantizes_what_it_quantizes_of_pytorchs(
    arguments: dict[str, Any], expected: list[str], inplace: bool
) -> None:
    ours, theirs = Model(elman.nn), Model(nn)
    quantized = quantization.quantize_dynamic(ours, inplace=inplace, **arguments)
    assert kinds(quantized) == expected
    assert kinds(ours) == (expected if inplace else ["elman"] * 3)
    if not arguments.get("qconfig_spec") or nn.RNNCell in arguments["qconfig_spec"]:
        torch.testing.assert_close(quantized(X), quantization.quantize_dynamic(theirs, **arguments)(X))


@pytest.mark.parametrize("installed", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in RECURRENT if kind != "RNN"])
def test_quantize_dynamic_quantizes_every_layer_that_pytorch_quantizes(kind: str, installed: bool) -> None:
    x = X if kind.endswith("Cell") else X[None]
    theirs = nn.Sequential(getattr(nn, kind)(4, 6))
    ours = nn.Sequential(getattr(elman.nn, kind)(4, 6))
    ours.load_state_dict(theirs.state_dict())
    expected = quantization.quantize_dynamic(theirs)(x)
    with elman.nn.in_torch() if installed else contextlib.nullcontext():
        quantized = quantization.quantize_dynamic(ours)
    assert kinds(quantized) == ["quantized"]
    assert kinds(ours) == ["elman"]
    torch.testing.assert_close(quantized(x), expected)
    spec = {getattr(nn, kind)}
    assert kinds(quantization.quantize_dynamic(ours, qconfig_spec=spec)) == ["quantized"]


def test_quantize_dynamic_quantizes_converted_layers_and_leaves_subclasses_as_pytorch_does() -> None:
    class Cell(nn.RNNCell):
        pass

    model = elman.nn.convert(nn.Sequential(nn.RNNCell(4, 6), Cell(6, 6)))
    assert kinds(quantization.quantize_dynamic(model))[0] == "quantized"
    assert isinstance(quantization.quantize_dynamic(model)[1], elman.nn.RNNCell)


def test_quantize_dynamic_knows_ours_in_pytorchs_place() -> None:
    before = Model(nn)
    with elman.nn.in_torch():
        for model in (Model(nn), before):
            assert kinds(quantization.quantize_dynamic(model))[:2] == ["quantized"] * 2
    assert kinds(quantization.quantize_dynamic(Model(nn))) == ["quantized", "quantized", "torch"]


def test_static_quantization_sees_pytorchs_linear() -> None:
    model = nn.Sequential(quantization.QuantStub(), elman.nn.Linear(4, 6), quantization.DeQuantStub()).eval()
    model.qconfig = quantization.default_qconfig
    prepared = quantization.prepare(model)
    prepared(X)
    assert "quantized" in type(quantization.convert(prepared)[1]).__module__


def test_quantization_of_traced_graphs_sees_pytorchs_layers() -> None:
    from torch.ao.quantization import quantize_fx

    found = []
    for lib in (elman.nn, torch.nn):
        mapping = quantization.QConfigMapping().set_global(quantization.default_dynamic_qconfig)
        prepared = quantize_fx.prepare_fx(Model(lib).eval(), mapping, (X,))
        found.append(quantize_fx.convert_fx(prepared))
    assert kinds(found[0]) == ["quantized", "quantized", "elman"]
    torch.testing.assert_close(found[0](X), found[1](X))
