"""Layers and cells over the kernels: through autograd, in every form of input, and the choice between back ends."""

import sys
import warnings
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from elman import _engine, _extras, nn, ops
from elman.nn import _recurrent
from elman.ops import _cuda
from elman.ops._back_ends import BACK_ENDS, BackEnd
from elman.ops._calls import Call
from tests.cuda.cases import assert_same_bits
from tests.cuda.shim import Shim
from tests.engine.compiler import COMPILER

LAYERS = {"tanh": nn.RNN, "relu": partial(nn.RNN, nonlinearity="relu")}
LAYERS |= {"gru": nn.GRU, "lstm": nn.LSTM}

needs_kernels = [
    pytest.mark.skipif(COMPILER is None, reason="needs a compiler"),
    pytest.mark.skipif(_engine.instruction_set() == "x86-64", reason="an engine without FMA has bits of its own"),
]


@pytest.fixture(scope="module")
def there() -> BackEnd:
    """As on a GPU, for tensors of the CPU."""
    return _cuda.back_end(Shim())


def flat(results: Any) -> list[Tensor]:
    if isinstance(results, Tensor):
        return [results]
    return [tensor for result in results if result is not None for tensor in flat(result)]


def gradients(layer: torch.nn.Module, results: Any) -> list[Tensor]:
    tensors = [x for x in flat(results) if x.is_floating_point()]
    arriving = [torch.linspace(-1, 1, x.numel()).view(x.shape) for x in tensors]
    return [*torch.autograd.grad(tensors, [*layer.parameters()], arriving)]


class TestKernels:
    pytestmark = needs_kernels

    @pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
    @pytest.mark.parametrize("batch_first", [False, True])
    def test_stacked_layers_have_the_bits_of_the_cpu(self, there: BackEnd, cell: str, batch_first: bool) -> None:
        layer: Any = LAYERS[cell](5, 7, num_layers=2, bidirectional=True, batch_first=batch_first)
        input = torch.randn(4, 3, 5)
        results, expected = layer._run_padded(input, None, there.admits, there.layer), layer(input)
        for result, right in zip(flat(results), flat(expected), strict=True):
            assert result.stride() == right.stride()
            assert_same_bits(result, right, cell)
        for result, right in zip(gradients(layer, results), gradients(layer, expected), strict=True):
            assert_same_bits(result, right, cell)

    @pytest.mark.parametrize("cell", LAYERS)
    def test_packed_sequences_have_the_bits_of_the_cpu(self, there: BackEnd, cell: str) -> None:
        layer: Any = LAYERS[cell](5, 7, bidirectional=True)
        packed = pack_sequence([torch.randn(steps, 5) for steps in (2, 6, 1, 4)], enforce_sorted=False)
        results, expected = layer._run_packed(packed, None, there.admits, there.layer), layer(packed)
        for result, right in zip(flat(results), flat(expected), strict=True):
            assert torch.equal(result, right)
        for result, right in zip(gradients(layer, results), gradients(layer, expected), strict=True):
            assert_same_bits(result, right, cell)

    @pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
    def test_a_loop_of_cells_has_the_bits_of_the_layer(self, there: BackEnd, cell: str) -> None:
        layer: Any = LAYERS[cell](5, 7)
        stepper: Any = {"tanh": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](5, 7)
        stepper.load_state_dict({name[:-3]: x for name, x in layer.state_dict().items()})
        input, state = torch.randn(4, 3, 5), None
        output, _ = layer(input)
        for x, right in zip(input, output, strict=True):
            state = stepper._run(x, state, there.admits, there.step)
            assert_same_bits(state[0] if cell == "lstm" else state, right, cell)

    def test_input_of_any_strides_and_gradients_that_are_expanded_are_taken(self, there: BackEnd) -> None:
        layer: Any = nn.GRU(5, 7)
        input = torch.randn(5, 3, 8)[:, :, ::2].permute(2, 1, 0).requires_grad_()
        results, expected = layer._run_padded(input, None, there.admits, there.layer), layer(input)
        found, right = (torch.autograd.grad(output.sum(), input)[0] for output, _ in (results, expected))
        assert_same_bits(found, right, "d_input")

    def test_gradients_of_gradients_are_those_of_the_equations(self, there: BackEnd) -> None:
        layer: Any = nn.LSTM(3, 4)
        input = torch.randn(3, 2, 3, requires_grad=True)

        def second(results: Any) -> Tensor:
            (first,) = torch.autograd.grad(results[0].square().sum(), input, create_graph=True)
            return torch.autograd.grad(first.square().sum(), input)[0]

        torch.testing.assert_close(
            second(layer._run_padded(input, None, there.admits, there.layer)), second(layer(input))
        )

    def test_a_write_to_the_output_is_noticed_as_by_pytorch(self, there: BackEnd) -> None:
        layer: Any = nn.RNN(3, 4)
        for batch_first in (False, True):
            layer.batch_first = batch_first
            output, _ = layer._run_padded(torch.randn(3, 2, 3), None, there.admits, there.layer)
            output.detach().zero_()
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                output.sum().backward()

    def test_all_cell_states_come_back_with_their_gradients(self, there: BackEnd) -> None:
        layer: Any = nn.LSTM(3, 4)
        input = torch.randn(5, 2, 3, requires_grad=True)
        weights = [*layer.parameters()]
        results = there.layer(input, None, None, None, weights, 4, "lstm", 1, every_c=True)
        expected = ops.layer(input, None, None, None, weights, 4, "lstm", 1, every_c=True)
        for result, right in zip(results, expected, strict=True):
            assert_same_bits(result, right, "every_c")
        found, right = (torch.autograd.grad(x[3].square().sum(), input)[0] for x in (results, expected))
        torch.testing.assert_close(found, right)

    @pytest.mark.parametrize(
        "input",
        [
            torch.zeros(3, 2, 5, dtype=torch.float64),
            torch.zeros(3, 0, 5),
            torch.zeros(3, 2, 4),
            torch._neg_view(torch.ones(3, 2, 5)),
        ],
        ids=["float64", "no rows", "other features", "negated view"],
    )
    def test_what_the_kernels_do_not_take_is_refused(self, there: BackEnd, input: Tensor) -> None:
        layer: Any = nn.RNN(5, 7, dtype=input.dtype)
        assert layer._run_padded(input, None, there.admits, there.layer) is None

    def test_under_autocast_nothing_is_taken(self, there: BackEnd) -> None:
        layer: Any = nn.RNN(5, 7)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer._run_padded(torch.zeros(3, 2, 5), None, there.admits, there.layer) is None


class _Elsewhere:
    """A back end that says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def admits(self, input: Tensor, *given: Any) -> bool:
        self.asked.append("admits")
        return True

    def run(self, call: Call, input: Tensor, *rest: Any, **options: Any) -> Any:
        self.asked.append("layer" if call.batch_sizes is None else "packed")
        batch, units = input.shape[1] if call.batch_sizes is None else int(call.batch_sizes[0]), call.hidden_size
        return input.new_empty(*input.shape[:-1], units), input.new_empty(1, batch, units)


def test_tensors_go_to_the_back_end_of_their_device_and_else_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = _Elsewhere()
    layer, cell = nn.RNN(3, 4, device="meta"), nn.RNNCell(3, 4, device="meta")
    assert layer._road(torch.empty(2, 5, 3, device="meta")) == (None, None, None)
    monkeypatch.setitem(BACK_ENDS, "meta", BackEnd(elsewhere.admits, elsewhere.admits, elsewhere.run))
    layer(torch.empty(2, 5, 3, device="meta"))
    cell(torch.empty(5, 3, device="meta"))
    layer(torch.empty(2, 5, 3, device="meta"), lengths=[2, 1, 2, 0, 1])
    assert elsewhere.asked == ["admits", "layer", "admits", "layer", "admits", "packed"]


def test_the_cpus_road_makes_no_objects_for_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """All functions of Python that it calls, those that make an object of a class among them."""
    monkeypatch.setattr(_recurrent, "BACK_ENDS", None)  # nobody asks it anything
    called: list[str] = []

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and not frame.f_globals["__name__"].startswith("torch."):
            called.append(frame.f_code.co_name)

    def road(module: torch.nn.Module, input: Tensor) -> list[str]:
        module(input)
        called.clear()
        sys.setprofile(note)
        try:
            module(input)
        finally:
            sys.setprofile(None)
        return [*called]

    input, before = torch.zeros(3, 2, 4), ["forward", "nothing_intercepts"]
    with torch.no_grad():
        of_layer = road(nn.RNN(4, 5), input)
        of_cell = road(nn.RNNCell(4, 5), input[0])
    assert of_layer == [*before, "_run_at_once", "layer_if_admitted", "forward_if_admitted", "threads"]
    assert of_cell == [*before, "_run_at_once", "step_if_admitted"]
    assert road(nn.RNN(4, 5), input) == [*of_layer, "forward", "forward_kept", "threads"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="is of machines without a GPU")
def test_without_a_gpu_one_line_says_so_and_pytorch_computes() -> None:
    with pytest.warns(RuntimeWarning, match="PyTorch's kernels compute on GPUs, not elman's: ") as told:
        assert nn.use_cuda_engine() is False
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert told[0].filename == __file__
    assert "cuda" not in BACK_ENDS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nn.use_cuda_engine(False) is False


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "cuda.bindings", raising=False)
    with pytest.warns(RuntimeWarning, match=r"not elman's: .* needs cuda-bindings: pip install .*\[cuda\]"):
        assert not nn.use_cuda_engine()


@pytest.mark.parametrize(
    ("of_cuda", "reason"), [(None, "this PyTorch is built without CUDA"), ("13.0", "PyTorch finds no GPU")]
)
def test_a_pytorch_for_other_gpus_is_told_from_a_machine_without_one(
    of_cuda: str | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", of_cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: of_cuda is None)  # AMD's
    with pytest.warns(RuntimeWarning, match=f"not elman's: {reason}$"):
        assert not nn.use_cuda_engine()


@pytest.mark.skipif(torch.cuda.is_available(), reason="is of machines without a GPU")
def test_the_environment_asks_once_there_is_something_to_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cuda, "BACK_ENDS", {})
    monkeypatch.setenv("ELMAN_CUDA", "1")
    assert _cuda.is_asked_for()
    _cuda.use_when_needed()
    with pytest.warns(RuntimeWarning, match="not elman's"):
        assert not _cuda.BACK_ENDS["cuda"].admits()
    assert not _cuda.BACK_ENDS


@pytest.mark.parametrize("value", ["yes", "2", "cuda"])
def test_another_value_in_the_environment_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_CUDA", value)
    with pytest.raises(ValueError, match=f"ELMAN_CUDA: expected 0 or 1, got '{value}'"):
        _cuda.is_asked_for()
