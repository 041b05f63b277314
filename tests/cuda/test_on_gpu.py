"""The kernels on an NVIDIA GPU. ``make test-cuda``, or ``tools/cuda_check.sh`` for all that a GPU can show."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from elman import _engine, nn
from elman.cells import Cell, LayerNormLSTM, RateLeaky, learned
from elman.ops._back_ends import BACK_ENDS
from elman.ops._cuda._launches import Kernel, Launcher
from tests.cuda import own
from tests.cuda.cases import Case, assert_engine_agrees, assert_same_bits, random_case
from tests.cuda.shim import kernel, kernels

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
    pytest.mark.skipif(_engine.instruction_set() == "x86-64", reason="an engine without FMA has bits of its own"),
]
CELLS = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@pytest.fixture(scope="module", autouse=True)
def gpu() -> Any:
    assert nn.use_cuda_engine()
    from elman.ops import _cuda

    compile_all([kernel(function) for function in kernels()])
    yield _cuda._gpu()
    nn.use_cuda_engine(False)


def compile_all(needed: Sequence[Kernel]) -> None:
    """At once, where one after another takes a minute."""
    from elman.ops._cuda._compiler import compiled

    architecture = "sm_{}{}".format(*torch.cuda.get_device_capability())
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda kernel: compiled(kernel, architecture), needed))


def pair(cell: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    """A layer, and the same on the GPU."""
    here = CELLS[cell](*sizes, **options)
    there = CELLS[cell](*sizes, **options)
    there.load_state_dict(here.state_dict())
    return here, there.cuda()


@pytest.mark.parametrize("part", range(10))
def test_300_random_layers_have_the_bits_of_the_cpu(gpu: Launcher, part: int) -> None:
    sizes = [1, 2, 7, 15, 16, 17, 32, 33, 48, 64, 65, 96, 100, 128, 130, 192, 256]
    for seed in range(30 * part, 30 * part + 30):
        case = random_case(1000 + seed, sizes, [1, 2, 5, 13, 40], [1, 2, 3, 8, 33])
        assert_engine_agrees(gpu, case, "cuda")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden_size", [384, 512, 1024])
def test_large_layers_have_the_bits_of_the_cpu(gpu: Launcher, cell: str, hidden_size: int) -> None:
    assert_engine_agrees(gpu, Case(cell, 3, 5, 20, hidden_size), "cuda")


def test_cells_of_ones_own_have_the_bits_of_the_cpu(gpu: Launcher) -> None:
    limits = gpu.limits(torch.device("cuda", torch.cuda.current_device()))
    cases = [*own.CASES.values()][:20]  # of the library, and a few drawn at random
    compile_all(own.kernels_of([(case, limits) for case in cases]))
    for case in cases:
        own.assert_engine_agrees(gpu, case, "cuda")


def assert_same_training(here: nn.RNN | nn.Recurrent, there: nn.RNN | nn.Recurrent, input: torch.Tensor) -> None:
    """Of four sequences on the CPU and on a GPU: the output, and every gradient of the weights."""
    outputs = here(input, lengths=[9, 3, 0, 7])[0], there(input.cuda(), lengths=[9, 3, 0, 7])[0]
    for output in outputs:
        output.square().sum().backward()
    assert_same_bits(outputs[1], outputs[0], "output")
    for one, other in zip(there.parameters(), here.parameters(), strict=True):
        assert_same_bits(one.grad, other.grad, "gradient")


@pytest.mark.parametrize("cell", [LayerNormLSTM(), RateLeaky(learned(0.2))], ids=str)
def test_layers_of_ones_own_cell_give_the_bits_of_the_cpu_through_autograd(cell: Cell) -> None:
    here, there = (nn.Recurrent(cell, 6, 20, num_layers=2, bidirectional=True) for _ in range(2))
    there.load_state_dict(here.state_dict())
    assert_same_training(here, there.cuda(), torch.randn(9, 4, 6))


def test_more_rows_than_the_device_has_room_for_at_once_have_the_bits_of_the_cpu(gpu: Launcher) -> None:
    assert_engine_agrees(gpu, Case("lstm", 3, 1500, 5, 100), "cuda")


def test_what_lies_beyond_32_bits_has_the_bits_of_the_cpu() -> None:
    """4.3 billion numbers of output, 17 GB, of which the bits of two rows are compared: they hang on no others."""
    if torch.cuda.mem_get_info()[0] < 40e9:
        pytest.skip("needs 40 GB of the GPU's memory")
    here, there = pair("tanh", 1, 64)
    input = torch.randn(64, 1 << 20, 1, device="cuda")
    with torch.no_grad():
        output, h_n = there(input)
        ends = [0, (1 << 20) - 1]
        right, right_h_n = here(input[:, ends].cpu())
        assert_same_bits(output[:, ends], right, "output")
        assert_same_bits(h_n[:, ends], right_h_n, "h_n")


@pytest.mark.parametrize("cell", CELLS)
def test_layers_give_the_bits_of_the_cpu_through_autograd(cell: str) -> None:
    here, there = pair(cell, 12, 20, num_layers=2, bidirectional=True, batch_first=True)
    assert_same_training(here, there, torch.randn(4, 9, 12))


def test_1000_repetitions_have_one_result() -> None:
    here, there = pair("gru", 16, 128)
    input = torch.randn(20, 64, 16)
    (expected, _), on_gpu = here(input), input.cuda()
    differing = torch.zeros((), dtype=torch.int64, device="cuda")
    expected = expected.detach().cuda()
    for _ in range(1000):
        differing += (there(on_gpu)[0].detach() != expected).sum()
    assert int(differing) == 0


@pytest.mark.parametrize("cell", CELLS)
def test_calls_run_on_the_current_stream_and_wait_for_nothing(cell: str) -> None:
    here, there = pair(cell, 16, 64)
    input = torch.randn(50, 8, 16)
    packed = pack_padded_sequence(input, [50, 50, 31, 30, 4, 2, 1, 1])
    on_gpu, packed_there = input.cuda(), packed._replace(data=packed.data.cuda())
    streams, found = [torch.cuda.Stream() for _ in range(4)], []
    weights, gradient = [*there.parameters()], torch.ones(50, 8, 64, device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for stream in streams:
            with torch.cuda.stream(stream):
                output = there(on_gpu)[0]
                found.append([output, there(packed_there)[0].data, *torch.autograd.grad(output, weights, gradient)])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    output = here(input)[0]
    right = [output, here(packed)[0].data, *torch.autograd.grad(output, [*here.parameters()], gradient.cpu())]
    for of_stream in found:
        for one, other in zip(of_stream, right, strict=True):
            assert_same_bits(one, other, "stream")


def test_a_graph_captures_and_repeats_a_call() -> None:
    here, there = pair("tanh", 16, 64)
    input = torch.randn(10, 8, 16, device="cuda")
    with torch.no_grad():
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            there(input)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output, _ = there(input)
        other = torch.randn(10, 8, 16)
        input.copy_(other)
        graph.replay()
        assert_same_bits(output, here(other)[0], "graph")


def test_what_is_not_taken_goes_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.LSTM(8, 16).cuda()
    input = torch.randn(5, 3, 8, device="cuda")
    with torch.autocast("cuda"):
        assert layer(input)[0].dtype is torch.float16
    assert layer.double()(input.double())[0].dtype is torch.float64
    with torch.device("cuda"):
        assert nn.RNN(8, 16)(input)[0].is_cuda


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_each_tensor_is_computed_on_its_own_device() -> None:
    here, there = pair("tanh", 8, 16)
    input = torch.randn(5, 3, 8)
    output, _ = there.to("cuda:1")(input.to("cuda:1"))
    assert output.device == torch.device("cuda", 1)
    assert_same_bits(output, here(input)[0], "second device")


def test_it_can_be_put_off_again() -> None:
    assert nn.use_cuda_engine(False) is False
    assert "cuda" not in BACK_ENDS
    assert nn.use_cuda_engine()
