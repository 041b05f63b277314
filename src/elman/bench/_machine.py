"""What the figures are of: the machine and the versions of all that takes part."""

import platform
from collections.abc import Iterable
from pathlib import Path

from elman._processors import processors
from elman.bench._contenders import Contender

__all__ = ["describe", "versions"]


def describe() -> dict[str, str | int]:
    """Return the machine: its processor, cores, system, and the instruction set that the engine uses."""
    from elman import _engine

    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": processors(),
        "system": f"{platform.system()} {platform.release()}",
        "instruction_set": _engine.instruction_set(),
    }


def versions(contenders: Iterable[Contender]) -> dict[str, str]:
    """Return the versions of Python, of this package and of the contenders' packages."""
    from elman import __version__

    found = {"python": platform.python_version(), "elman": __version__}
    for contender in contenders:
        found |= {package: version for package, version in contender.versions().items() if version}
    return found


def _processor() -> str:
    """Return its name; Linux has it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return " ".join(next(names, platform.processor() or "unknown").split())
