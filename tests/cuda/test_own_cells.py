"""Cells of one's own by the kernels for GPUs, compiled as C++, have the bits of the engine."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from elman import _engine, _gate, nn
from elman.cells import CoupledLSTM, LayerNormGRU, PeepholeLSTM, Program
from elman.ops import _cuda
from elman.ops._back_ends import BACK_ENDS, BackEnd
from elman.ops._calls import Call
from elman.ops._cells import of_program
from elman.ops._cuda._launches import Kernel
from elman.ops._cuda._programs import OPERATIONS, cell_of
from elman.ops._layer import run as run_on_cpu
from tests.cuda.cases import assert_same_bits
from tests.cuda.own import CASES, arguments, assert_engine_agrees, kernels_of
from tests.cuda.shim import HOPPER, Shim
from tests.cuda.test_kernels import SMALL
from tests.engine.compiler import COMPILER

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="needs a compiler"),
    pytest.mark.skipif(_engine.instruction_set() == "x86-64", reason="an engine without FMA has bits of its own"),
]
LIMITS = {name: (HOPPER, SMALL)[place % 2] for place, name in enumerate(CASES)}


@pytest.fixture(scope="module")
def programs() -> list[Kernel]:
    return kernels_of([(case, LIMITS[name]) for name, case in CASES.items()])


@pytest.mark.parametrize("name", CASES)
def test_programs_have_the_engines_bits(name: str, programs: list[Kernel]) -> None:
    shim = Shim(LIMITS[name], backwards=len(name) % 2 == 1, programs=programs)
    assert_engine_agrees(shim, CASES[name])


def test_every_operation_that_the_engine_knows_has_its_line() -> None:
    assert {*OPERATIONS, "row_sum"} == {*_engine.operations()}


def test_nothing_of_a_programs_own_text_is_compiled() -> None:
    data = PeepholeLSTM().program.to_data()
    there = cell_of(of_program(PeepholeLSTM().program, 3), 3)
    odd = {name: f"x{place}_system" for place, name in enumerate([*data["gates"], *data["states"], *data["inputs"]])}
    renamed = {kind: [odd[name] for name in data[kind]] for kind in ("gates", "states")} | {
        "inputs": {odd[name]: kind for name, kind in data["inputs"].items()},
        "nodes": [[operation, *(odd.get(x, x) for x in taken)] for operation, *taken in data["nodes"]],
        "results": data["results"],
    }
    program = Program.from_data(renamed)
    assert "_system" in program.text
    assert cell_of(of_program(program, 3), 3).text == there.text


def test_a_layer_over_the_kernels_has_the_cpus_bits_through_autograd(programs: list[Kernel]) -> None:
    name = next(name for name, case in CASES.items() if len(case.cell.results) == 3)
    given = arguments(CASES[name])
    tensors: list[Any] = [x if x is None else x.clone().requires_grad_() for x in given.tensors]
    there = _cuda.back_end(Shim(LIMITS[name], programs=programs))
    assert there.takes(given.call, tensors)
    found, expected = (run(given.call, *tensors, every=True) for run in (there.run, run_on_cpu))
    for one, other in zip(found, expected, strict=True):
        assert_same_bits(one, other, name)
    wanted = [x for x in tensors if x is not None]
    of_found, of_expected = (
        torch.autograd.grad(results[:3], wanted, [torch.ones_like(x) for x in results[:3]])
        for results in (found, expected)
    )
    for one, other in zip(of_found, of_expected, strict=True):
        assert_same_bits(one, other, name)


def test_a_network_over_the_kernels_has_the_cpus_bits(programs: list[Kernel], monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Recurrent(CoupledLSTM(), 5, 10, num_layers=2, bidirectional=True, batch_first=True)
    input, shim = torch.randn(4, 6, 5), Shim(LIMITS["CoupledLSTM"], programs=programs)

    def results() -> list[Tensor]:
        output, (h_n, c_n) = layer(input, lengths=[6, 2, 0, 5])
        return [output, h_n, c_n, *torch.autograd.grad(output.square().sum() + c_n.sum(), [*layer.parameters()])]

    expected = results()
    monkeypatch.setattr(_gate, "is_for_the_engine", lambda input: False)  # as of tensors that are elsewhere
    monkeypatch.setitem(BACK_ENDS, "cpu", _cuda.back_end(shim))
    for one, other in zip(results(), expected, strict=True):
        assert_same_bits(one, other, "network")
    assert sum("program" in name for name in shim.launched) == 4  # of either layer, forward and back


@pytest.mark.parametrize("place", range(13))
def test_tensors_of_other_sizes_are_left_to_pytorch(place: int) -> None:
    program = LayerNormGRU().program
    call = Call(of_program(program, 5), 1, 5, None)
    shapes = [(3, 2, 4), (1, 2, 5), None, (15, 4), (15, 5), (15,), (15,), *[(5,)] * len(program.inputs_by("unit"))]
    tensors: list[Tensor | None] = [None if shape is None else torch.zeros(shape) for shape in shapes]
    takes = _cuda.back_end(Shim()).takes
    assert takes(call, tensors)
    given = tensors[place]
    if given is not None:
        for other in (torch.zeros(*given.shape[:-1], given.shape[-1] + 1), given.double(), given.to("meta")):
            assert not takes(call, [*tensors[:place], other, *tensors[place + 1 :]])
    with torch.autocast("cpu", torch.bfloat16):
        assert not takes(call, tensors)


class _Elsewhere:
    """A back end that takes calls, or not, and says what it was asked."""

    def __init__(self, takes: bool) -> None:
        self.asked, self.answer = [], takes

    def takes(self, call: Call, tensors: Any) -> bool:
        self.asked.append("takes")
        return self.answer

    def run(self, call: Call, input: Tensor, *rest: Any, every: bool) -> Any:
        self.asked.append("run")
        batch = input.shape[1] if call.batch_sizes is None else int(call.batch_sizes[0])
        c_n = input.new_empty(1, batch, call.hidden_size)
        return input.new_empty(*input.shape[:-1], call.hidden_size), c_n, c_n


@pytest.mark.parametrize("takes", [True, False])
def test_a_layer_of_ones_own_cell_goes_to_the_back_end_of_its_device(
    takes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = _Elsewhere(takes)
    monkeypatch.setitem(BACK_ENDS, "meta", BackEnd(partial(pytest.fail, "admits"), elsewhere.takes, elsewhere.run))
    layer = nn.Recurrent(PeepholeLSTM(), 3, 4, device="meta")
    layer(torch.empty(2, 5, 3, device="meta"))
    layer(torch.empty(2, 5, 3, device="meta"), lengths=[2, 1, 2, 0, 1])
    assert elsewhere.asked == (["takes", "run"] * 2 if takes else ["takes"] * 2)
