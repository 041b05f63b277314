"""Launches on a device, with a driver that is played: what it is handed, the kernels compiled as C++ take."""

# ruff: noqa: N802, for the driver's functions have its names

import ctypes
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

pytest.importorskip("cuda.bindings.driver", reason="needs the extra cuda: make test-cuda-compile")

from elman import _engine, nn
from elman.ops import _cuda
from elman.ops._back_ends import BACK_ENDS
from elman.ops._cells import BUILT_IN
from elman.ops._cuda import _device
from elman.ops._cuda._launches import Kernel, is_within
from tests.cuda.cases import Case, assert_engine_agrees
from tests.cuda.shim import HOPPER, Shim, kernels
from tests.engine.compiler import COMPILER

# of each struct, in 8-byte words
WORDS = {
    "ForwardArguments": 25,
    "BackwardArguments": 30,
    "ProductArguments": 16,
    "GradientArguments": 20,
    "GroupArguments": 4,
    "FillArguments": 250,
}
pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="needs a compiler"),
    pytest.mark.skipif(_engine.instruction_set() == "x86-64", reason="an engine without FMA has bits of its own"),
]


class Driver:
    """The driver's functions that launches need, over the memory of the CPU."""

    CUresult = SimpleNamespace(CUDA_SUCCESS=0)
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN=0, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT=1
    )
    CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=0)

    def __init__(self) -> None:
        self.shim, self.contexts, self.version = Shim(), 0, 13000

    def cuInit(self, flags: int) -> tuple[int]:
        return (0,)

    def cuDriverGetVersion(self) -> tuple[int, int]:
        return 0, self.version

    def cuDeviceGet(self, index: int) -> tuple[int, int]:
        return 0, index

    def cuDeviceGetAttribute(self, attribute: int, device: int) -> tuple[int, int]:
        return 0, HOPPER[attribute]

    def cuDevicePrimaryCtxRetain(self, device: int) -> tuple[int, str]:
        return 0, "context"

    def cuCtxPushCurrent(self, context: str) -> tuple[int]:
        self.contexts += 1
        return (0,)

    def cuCtxPopCurrent(self) -> tuple[int, str]:
        self.contexts -= 1
        return 0, "context"

    def cuModuleLoadData(self, code: bytes) -> tuple[Any, ...]:
        return 0, code

    def cuModuleGetFunction(self, module: bytes, name: bytes) -> tuple[int, Kernel]:
        assert name == b"elman_kernel"
        function = module.decode()
        return 0, Kernel(function, kernels()[function], 1024)

    def cuFuncSetAttribute(self, function: Kernel, attribute: int, value: int) -> tuple[int]:
        assert value == HOPPER.shared_bytes
        return (0,)

    def cuLaunchKernel(self, function: Kernel, *rest: Any) -> tuple[int]:
        x, y, z, threads, _, _, shared_bytes, stream, parameters, extra = rest
        assert (stream, extra, self.contexts) == (7, 0, 1)
        address = ctypes.cast(parameters, ctypes.POINTER(ctypes.c_void_p))[0]
        arguments = ctypes.string_at(address, 2 * 8 * WORDS[function.arguments.partition("<")[0]])
        self.shim.launch(function, (x, y, z), threads, shared_bytes, arguments)
        return (0,)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    played = Driver()
    monkeypatch.setattr(_device, "driver", played)
    monkeypatch.setattr(_device, "compiler_version", lambda: (13, 0))
    monkeypatch.setattr(_device, "compiled", lambda kernel, architecture: kernel.function.encode())
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=7))
    return played


@pytest.mark.parametrize("cell", ["tanh", "lstm"])
def test_launches_hand_over_what_the_kernels_take(driver: Driver, cell: str) -> None:
    assert_engine_agrees(_device.Gpu(), Case(cell, 4, 3, 5, 20, directions=2, packed=True))
    assert driver.contexts == 0


def test_kernels_are_loaded_once(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def compiled(kernel: Kernel, architecture: str) -> bytes:
        loads.append(architecture)
        return kernel.function.encode()

    monkeypatch.setattr(_device, "compiled", compiled)
    gpu = _device.Gpu()
    for _ in range(2):
        gpu.prepare(torch.device("cuda", 0))
    assert loads == ["sm_90"]


def test_somebody_who_asks_gets_the_kernels(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(_cuda, "_gpu", _device.Gpu)
    try:
        assert nn.use_cuda_engine()
        assert "cuda" in BACK_ENDS
    finally:
        assert not nn.use_cuda_engine(False)
    driver.version = 12080
    with pytest.warns(RuntimeWarning, match="not elman's: the driver is for CUDA 12, cuda-bindings for CUDA 13"):
        assert not nn.use_cuda_engine()
    assert "cuda" not in BACK_ENDS


def test_a_driver_older_than_the_compiler_is_named_with_the_command_that_helps(driver: Driver) -> None:
    driver.version = 12080
    with pytest.raises(RuntimeError, match=r"the driver is for CUDA 12, .* pip install 'cuda-bindings<13'"):
        _device.Gpu().prepare(torch.device("cuda", 0))
    assert driver.contexts == 0


def test_a_gpu_too_old_for_the_compiler_is_left_to_pytorch(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (7, 0) if index else (7, 5))
    gpu = _device.Gpu()
    gpu.prepare(torch.device("cuda", 0))
    with pytest.raises(RuntimeError, match=r"the GPU's compute capability is 7\.0, expected 7\.5 or later"):
        gpu.prepare(torch.device("cuda", 1))
    assert [is_within(gpu, BUILT_IN["tanh"], torch.device("cuda", index), 4, 1) for index in (0, 1)] == [True, False]
