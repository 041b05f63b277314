"""The kernels of ``engine/cuda`` compiled as C++, for machines without a GPU: the same source, the same bits."""

import ctypes
import hashlib
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from elman.ops._cells import BUILT_IN
from elman.ops._cuda._launches import Kernel, backward_plan, forward_plan
from elman.ops._cuda._plan import Limits, thread_limit
from elman.ops._cuda._programs import cell_of
from tests.engine.compiler import COMPILER, ROOT

HERE = Path(__file__).parent
CELLS = ("tanh", "relu", "gru", "lstm")
STEPS = {"forward_steps": "ForwardArguments", "backward_steps": "BackwardArguments"}
OTHERS = {
    "multiply_tiles": "ProductArguments",
    "sum_gradients": "GradientArguments",
    "add_groups": "GroupArguments",
    "fill": "FillArguments",
}
FAULTS = {
    1: "there is no such kernel",
    2: "some threads wait at a barrier that others do not reach",
    3: "it writes behind its shared memory",
}
HOPPER = Limits(shared_bytes=227 << 10, multiprocessors=132)


@cache
def steps() -> dict[str, tuple[str, int, int]]:
    """Every kernel of a loop over steps that a layer may come to, and of the smallest that does the cell, the hidden
    size and the rows of a block.
    """
    found: dict[str, tuple[str, int, int]] = {}
    for hidden_size in (*range(1, 270), 384, 512, 1024, 2048):
        for rows, multiprocessors in ((1, 132), (2, 0)):
            limits = Limits(HOPPER.shared_bytes, multiprocessors)
            for cell in CELLS:
                of_cell = cell_of(BUILT_IN[cell], hidden_size)
                for name, plan in (("forward_steps", forward_plan), ("backward_steps", backward_plan)):
                    laid_out = plan(of_cell, hidden_size, 2, limits)
                    if laid_out is not None and laid_out.rows == rows:
                        found.setdefault(f"{name}<{cell}_cell,{rows},{laid_out.held}>", (cell, hidden_size, rows))
    return found


def kernels() -> dict[str, str]:
    """All kernels of the engine's own cells, and the struct that each takes."""
    of_steps = {name: f"{STEPS[name.partition('<')[0]]}<{cell}_cell>" for name, (cell, *_) in steps().items()}
    return of_steps | OTHERS


def kernel(function: str) -> Kernel:
    held = function.rpartition(",")[2].rstrip(">")
    return Kernel(function, kernels()[function], thread_limit(int(held)) if held.isdigit() else 256)


def build(all_kernels: Sequence[Kernel]) -> Path:
    """A library of kernels, compiled anew only where a source has changed since: 0.1 s of processor time for each."""
    folders = (ROOT / "engine" / part for part in ("cuda", "simd", "cells", "include", "program"))
    sources = [
        *(path for folder in folders for path in sorted(folder.rglob("*.h"))),
        *sorted(HERE.glob("cuda_threads.*")),
    ]
    texts = [*(path.read_bytes() for path in sources), str(all_kernels).encode()]
    key = hashlib.sha256(b"".join(texts)).hexdigest()[:16]
    folder = ROOT / "build" / "cuda_threads"
    library = folder / f"{key}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    lines = (
        f'  X("{function}", {arguments.replace("<", "<elman::")}, {function.replace("<", "<elman::")})'
        for function, arguments, *_ in all_kernels
    )
    programs = {kernel.text: None for kernel in all_kernels}  # each once, in their order
    includes = [HERE, *(ROOT / "engine" / folder for folder in ("cuda/scalar", ".", "include"))]
    fused = ["-mfma"] if platform.machine() in ("x86_64", "AMD64") else []
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        (Path(temporary) / "kernels.h").write_text(
            "".join(programs) + "#define KERNELS \\\n" + " \\\n".join(lines) + "\n"
        )
        made = Path(temporary) / "library.so"
        subprocess.run(
            [
                *(COMPILER, "-std=c++20", "-O1", *fused, "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC"),
                *("-Wall", "-Wextra", "-Wshadow", "-Wno-unknown-pragmas", "-Werror"),
                *(f"-I{folder}" for folder in (temporary, *includes)),
                *(HERE / "cuda_threads.cpp", "-o", made),
            ],
            check=True,
        )
        os.replace(made, library)
    return library


class Shim:
    """A launcher for tensors of the CPU.

    Args:
        limits: of the device that it stands for.
        backwards: whether the threads of a block take turns from the last to the first. What both orders agree on
            lacks no barrier that either would show.
        programs: kernels that there are besides those of the engine's own cells.
    """

    def __init__(self, limits: Limits = HOPPER, backwards: bool = False, programs: Sequence[Kernel] = ()) -> None:
        self.of_device, self.backwards = limits, backwards
        self.launched: list[str] = []
        self.libraries = [ctypes.CDLL(str(build([kernel(name) for name in kernels()])))]
        if programs:
            self.libraries.append(ctypes.CDLL(str(build(programs))))

    def limits(self, device: torch.device) -> Limits:
        return self.of_device

    @contextmanager
    def on(self, device: torch.device) -> Iterator["Shim"]:
        yield self

    def launch(
        self, kernel: Kernel, grid: tuple[int, int, int], threads: int, shared_bytes: int, arguments: bytes
    ) -> None:
        assert kernel.text or kernels()[kernel.function] == kernel.arguments
        assert 0 < threads <= kernel.threads <= 1024
        assert shared_bytes <= max(self.of_device.shared_bytes, 64 << 10)  # which every device has
        self.launched.append(kernel.function)
        fault = self.libraries[-1 if kernel.text else 0].launch(
            kernel.function.encode(), *grid, threads, shared_bytes, arguments, ctypes.c_bool(self.backwards)
        )
        assert fault == 0, f"{kernel.function}: {FAULTS[fault]}"
