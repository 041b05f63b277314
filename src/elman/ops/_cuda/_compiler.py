"""Kernels compiled at run time by NVRTC, and kept in a folder from one process to the next."""

from __future__ import annotations

import hashlib
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

from cuda.bindings import nvrtc

from elman import _engine
from elman._errors import one_line
from elman.ops._cuda import _cache
from elman.ops._cuda._launches import Kernel

__all__ = ["compiled", "compiler_version"]

_SOURCES = Path(str(_engine.__file__)).with_name("_kernels")
_CELLS, _KERNEL = '#include "cuda/cells.h"\n', '#include "cuda/kernel.h"\n'
_PATIENCE = 1.0  # seconds without a word


def compiled(kernel: Kernel, architecture: str) -> bytes:
    """The machine code of a kernel for an architecture such as ``sm_90``.

    Raises:
        RuntimeError: it cannot be compiled; says why in one line.
    """
    name = f"{_key(kernel, architecture)}.cubin"
    code = _cache.kept(name)
    if code is None:
        timer = threading.Timer(_PATIENCE, _tell, [architecture])
        timer.daemon = True
        timer.start()
        try:
            code = _compile(kernel, architecture)
        finally:
            timer.cancel()
        _cache.keep(name, code)
    return code


@cache
def compiler_version() -> tuple[int, int]:
    """Of NVRTC."""
    try:
        major, minor = _checked(nvrtc.nvrtcVersion())
    except Exception as error:  # cuda-bindings looks for the library at its first call
        package = "nvidia-cuda-nvrtc, or nvidia-cuda-nvrtc-cu12 with a driver for CUDA 12"
        raise RuntimeError(f"NVRTC is missing, pip install {package}: {one_line(error, 60)}") from None
    return major, minor


def _options(kernel: Kernel, architecture: str) -> list[str]:
    return [
        f"--gpu-architecture={architecture}",
        "--std=c++20",
        "--fmad=false",  # fused multiply-adds are written out: no compiler decides about a rounding
        "--device-as-default-execution-space",  # the engine's own headers say nothing of devices
        "--diag-suppress=161,1097",  # which have attributes and pragmas of other compilers
        f"-DELMAN_FUNCTION={kernel.function}",
        f"-DELMAN_ARGUMENTS={kernel.arguments}",
        f"-DELMAN_THREADS={kernel.threads}",
    ]


def _key(kernel: Kernel, architecture: str) -> str:
    parts = [*_options(kernel, architecture), kernel.text, str(compiler_version()), _sources_hash()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _sources_hash() -> str:
    files = sorted(path for path in _SOURCES.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _compile(kernel: Kernel, architecture: str) -> bytes:
    folders = (_SOURCES / folder for folder in ("cuda/scalar", "cuda/std", ".", "include"))
    options = [*_options(kernel, architecture), *(f"--include-path={folder}" for folder in folders)]
    program = _checked(nvrtc.nvrtcCreateProgram((_CELLS + kernel.text + _KERNEL).encode(), b"elman.cu", 0, [], []))
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            log = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
            _checked(nvrtc.nvrtcGetProgramLog(program, log))
            lines = [line for line in log.decode(errors="replace").splitlines() if line.strip(" \0")]
            raise RuntimeError(f"{kernel.function} for {architecture}: {lines[0] if lines else status.name}")
        code: bytes = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
        _checked(nvrtc.nvrtcGetCUBIN(program, code))
        return code
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _checked(results: Any) -> Any:
    status, *values = results
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise RuntimeError(f"NVRTC: {status.name}")
    return values[0] if len(values) == 1 else tuple(values)


_told = threading.Lock()


def _tell(architecture: str) -> None:
    """Once in a process."""
    if _told.acquire(blocking=False):
        print(f"elman: compiling kernels for {architecture}, which are then kept", file=sys.stderr)
