"""What the bits of a training run depend on beside its options and its data."""

import os
import platform
from importlib import import_module
from pathlib import Path

import numpy as np

from elman import __version__
from elman.tasks._processes import process_count

__all__ = ["environment", "instruction_set"]


def instruction_set() -> str:
    """Return the instruction set that the engine works with, ``none`` where there is no engine."""
    try:
        engine = import_module("elman._engine")
    except ImportError:
        return "none"
    return str(engine.instruction_set())


def environment() -> dict[str, str]:
    """Return versions, kind of machine, instruction sets and thread count, as a checkpoint records them."""
    import torch

    return {
        "elman": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "instruction set": instruction_set(),
        "torch's instruction set": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "processes": str(process_count()),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if os.access(path, os.R_OK):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
