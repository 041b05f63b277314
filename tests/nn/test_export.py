"""torch.export, AOTInductor and ONNX take models with our layers, of any number of steps and sequences."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export
from torch.func import vmap
from torch.utils._pytree import tree_leaves

import elman.nn
from elman.cells import RateLeaky

KINDS = ("RNN", "GRU", "LSTM")
BATCH, STEPS = Dim("batch", min=2, max=64), Dim("steps", min=2, max=512)

# PyTorch's own, to itself
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Model(torch.nn.Module):
    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        self.layer = getattr(elman.nn, kind)(3, 5, 2, batch_first=True, **options)

    def forward(self, input: Tensor, lengths: Tensor | None = None) -> Any:
        return self.layer(self.linear(input), lengths=lengths)


def exported(model: torch.nn.Module, *, strict: bool = False) -> torch.export.ExportedProgram:
    given = torch.randn(2, 4, 3), torch.tensor([4, 2])
    return export(model, given, dynamic_shapes=({0: BATCH, 1: STEPS}, {0: BATCH}), strict=strict)


def assert_same(one: Any, other: Any) -> None:
    assert len(tree_leaves(one)) == len(tree_leaves(other))
    assert all(map(torch.equal, tree_leaves(one), tree_leaves(other)))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_program_is_saved_and_has_the_bits_of_its_model(kind: str, strict: bool) -> None:
    model, file = Model(kind, bidirectional=True), io.BytesIO()
    torch.export.save(exported(model, strict=strict), file)
    file.seek(0)
    program = torch.export.load(file)
    assert [str(n.target) for n in program.graph.nodes if "elman" in str(n.target)] == ["elman.layer.default"] * 2
    given = torch.randn(3, 7, 3), torch.tensor([7, 0, 2])
    again = program.module()
    assert_same(again(*given), model(*given))
    gradients = [
        torch.autograd.grad(module(*given)[0].square().sum(), [*module.parameters()]) for module in (again, model)
    ]
    assert_same(*gradients)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_program_of_a_cell_runs(kind: str) -> None:
    cell = getattr(elman.nn, f"{kind}Cell")(3, 5)
    program = export(cell, (torch.randn(2, 3),), dynamic_shapes=({0: BATCH},))
    input = torch.randn(4, 3)
    assert_same(program.module()(input), cell(input))


class Members(torch.nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layer = getattr(elman.nn, kind)(3, 5)

    def forward(self, inputs: Tensor) -> Any:
        return vmap(self.layer)(inputs)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNNCell"])
def test_a_module_that_calls_vmap_is_exported(kind: str) -> None:
    model, inputs = Members(kind), torch.randn(3, *(4,) * (not kind.endswith("Cell")), 2, 3)
    program = export(model, (inputs,), strict=False)  # strict none is, of PyTorch's own layers neither
    assert_same(program.module()(2 * inputs), model(2 * inputs))


@pytest.mark.slow  # a C++ compiler runs
def test_aotinductor_compiles_an_exported_program(tmp_path: Path) -> None:
    model = Model("LSTM").eval()
    with torch.no_grad():
        path = torch._inductor.aoti_compile_and_package(exported(model), package_path=str(tmp_path / "model.pt2"))
        given = torch.randn(5, 7, 3), torch.tensor([7, 1, 2, 7, 3])
        assert_same(torch._inductor.aoti_load_package(path)(*given), model(*given))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("RNN", {"bidirectional": True}), ("GRU", {"learn_initial_state": True}), ("LSTM", {"bidirectional": True})],
)
def test_onnx_has_its_own_operators_and_gives_our_numbers(kind: str, options: dict[str, bool]) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = Model(kind, **options).eval()
    for name, parameter in model.named_parameters():
        if "_0_l" in name:
            torch.nn.init.normal_(parameter)
    given = torch.randn(2, 4, 3), torch.tensor([4, 2])
    shapes = {0: BATCH, 1: STEPS}, {0: BATCH}
    program = torch.onnx.export(model, given, dynamo=True, dynamic_shapes=shapes, verbose=False)
    nodes = [node.op_type for node in program.model_proto.graph.node]
    assert nodes.count(kind) == 2
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    others = torch.randn(3, 7, 3), torch.tensor([7, 1, 2])
    names = [input.name for input in session.get_inputs()]
    found = session.run(None, {name: x.numpy() for name, x in zip(names, others, strict=True)})
    for ours, theirs in zip(tree_leaves(model(*others)), found, strict=True):
        torch.testing.assert_close(torch.from_numpy(theirs), ours.detach(), atol=1e-5, rtol=0)


def test_onnx_has_no_resets_and_no_programs_and_says_so() -> None:
    translate = elman.nn.onnx_translations()[torch.ops.elman.layer.default]
    nothing = [None] * 4
    with pytest.raises(ValueError, match=r"expected padded input and no resets, got resets: ONNX has none"):
        translate(None, None, None, "resets", *nothing, [], "tanh", 1, False, False)
    program = RateLeaky().program.text
    with pytest.raises(ValueError, match=r"expected RNN, GRU or LSTM, got a cell of one's own: ONNX has no programs"):
        translate(*[None] * 8, [], program, 1, False, False)
