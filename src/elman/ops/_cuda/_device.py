"""Launches on NVIDIA's GPUs, by the driver's functions as ``cuda-bindings`` has them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from cuda.bindings import driver

from elman.ops._cuda._compiler import compiled, compiler_version
from elman.ops._cuda._launches import Kernel
from elman.ops._cuda._plan import Limits

__all__ = ["Gpu"]

_OLDEST = 7, 5  # compute capability: what NVRTC still compiles for
_INDEPENDENT = Kernel("add_groups", "GroupArguments", 256)  # of cells and sizes


class Gpu:
    """The launcher of all GPUs. Kernels run on PyTorch's current stream; nothing waits for them."""

    def __init__(self) -> None:
        self._limits: dict[int, Limits] = {}
        self._contexts: dict[int, Any] = {}
        self._functions: dict[tuple[int, Kernel], Any] = {}
        self._lock = threading.Lock()

    def prepare(self, device: torch.device) -> None:
        """See that kernels can be compiled, loaded and launched.

        Raises:
            RuntimeError, ImportError: they cannot; says why in one line.
        """
        if _capability(device.index) < _OLDEST:
            found = "{}.{}".format(*_capability(device.index))
            raise RuntimeError("the GPU's compute capability is {}, expected {}.{} or later".format(found, *_OLDEST))
        compiler, of_driver = compiler_version()[0], _checked(driver.cuDriverGetVersion()) // 1000
        if compiler > of_driver:
            raise RuntimeError(
                f"the driver is for CUDA {of_driver}, cuda-bindings for CUDA {compiler}: "
                f"pip install 'cuda-bindings<{of_driver + 1}' 'nvidia-cuda-nvrtc-cu{of_driver}'"
            )
        with self.on(device) as queue:
            queue.function(_INDEPENDENT)

    def limits(self, device: torch.device) -> Limits:
        found = self._limits.get(device.index)
        if found is None:
            attributes = driver.CUdevice_attribute
            shared_bytes = _attribute(device, attributes.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
            found = self._limits[device.index] = Limits(
                shared_bytes if _capability(device.index) >= _OLDEST else 0,  # room for none
                _attribute(device, attributes.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            )
        return found

    @contextmanager
    def on(self, device: torch.device) -> Iterator[_Queue]:
        stream = torch.cuda.current_stream(device).cuda_stream
        context = self._contexts.get(device.index)
        if context is None:
            context = self._contexts[device.index] = _checked(driver.cuDevicePrimaryCtxRetain(_handle(device)))
        with torch.cuda.device(device):  # lest PyTorch changes to the device and back on the way
            _checked(driver.cuCtxPushCurrent(context))  # for a thread that has used none yet
            try:
                yield _Queue(self, device.index, stream)
            finally:
                _checked(driver.cuCtxPopCurrent())

    def function(self, index: int, kernel: Kernel) -> Any:
        found = self._functions.get((index, kernel))
        if found is None:
            with self._lock:
                found = self._functions.get((index, kernel)) or self._loaded(index, kernel)
                self._functions[index, kernel] = found
        return found

    def _loaded(self, index: int, kernel: Kernel) -> Any:
        module = _checked(driver.cuModuleLoadData(compiled(kernel, "sm_{}{}".format(*_capability(index)))))
        function = _checked(driver.cuModuleGetFunction(module, b"elman_kernel"))
        shared = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        most = self.limits(torch.device("cuda", index)).shared_bytes
        _checked(driver.cuFuncSetAttribute(function, shared, most))
        return function


class _Queue:
    """The stream of a device, for the time of a call."""

    def __init__(self, gpu: Gpu, index: int, stream: int) -> None:
        self.gpu, self.index, self.stream = gpu, index, stream

    def function(self, kernel: Kernel) -> Any:
        return self.gpu.function(self.index, kernel)

    def launch(
        self, kernel: Kernel, grid: tuple[int, int, int], threads: int, shared_bytes: int, arguments: bytes
    ) -> None:
        function = self.function(kernel)
        struct = ctypes.create_string_buffer(arguments, len(arguments))
        addresses = (ctypes.c_void_p * 1)(ctypes.addressof(struct))
        block = threads, 1, 1
        _checked(
            driver.cuLaunchKernel(function, *grid, *block, shared_bytes, self.stream, ctypes.addressof(addresses), 0)
        )


def _capability(index: int) -> tuple[int, int]:
    return torch.cuda.get_device_capability(index)


def _handle(device: torch.device) -> Any:
    _checked(driver.cuInit(0))
    # PyTorch counts the devices that CUDA_VISIBLE_DEVICES leaves, as the driver does
    return _checked(driver.cuDeviceGet(device.index))


def _attribute(device: torch.device, attribute: Any) -> int:
    return int(_checked(driver.cuDeviceGetAttribute(attribute, _handle(device))))


def _checked(results: Any) -> Any:
    status, *values = results
    if status != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"CUDA: {status.name}")
    return values[0] if len(values) == 1 else tuple(values)
