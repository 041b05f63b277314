"""The compiler of this machine, what instruction sets ask of it, and what the installation has compiled."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPILER = next(filter(None, map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++"])), None)
FLAGS = {
    "baseline": (16, []),
    "avx2": (32, ["-mavx2", "-mfma"]),
    "avx512": (64, ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]),
}


def compiled_engine() -> Path | None:
    """The static library that a build of this checkout has left, where it is not older than its sources."""
    folder = ROOT / "engine"
    files = [path for path in folder.rglob("*") if path.suffix in (".h", ".cpp", ".txt")]
    sources = [path.stat().st_mtime for path in files if folder / "bindings" not in path.parents]  # of no part in it
    found = [path for path in ROOT.glob("build/cp*/engine/libelman_engine.a") if path.stat().st_mtime > max(sources)]
    return next(iter(found), None)
