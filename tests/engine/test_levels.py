"""The units that are compiled once per instruction set."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from elman import _engine

ROOT = Path(__file__).parents[2]
COMPILER = next(filter(None, map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++"])), None)
FLAGS = {
    "baseline": (16, []),
    "avx2": (32, ["-mavx2", "-mfma"]),
    "avx512": (64, ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]),
}
LEVELS = list(FLAGS) if platform.machine() == "x86_64" else ["baseline"]  # the widest stands for them all


@pytest.mark.skipif(COMPILER is None or shutil.which("nm") is None, reason="needs a C++ compiler and nm")
@pytest.mark.parametrize("name", [*(pytest.param(name, marks=pytest.mark.slow) for name in LEVELS[:-1]), LEVELS[-1]])
def test_a_level_shares_no_function_with_the_linker(name, tmp_path):
    # a weak function compiled for one instruction set may be taken for another's and end in SIGILL
    vector_bytes, flags = FLAGS[name]
    unit = tmp_path / "level.o"
    macros = [f"-DELMAN_VECTOR_BYTES={vector_bytes}", f"-DELMAN_FUNCTIONS=functions_{name}"]
    folders = [f"-I{ROOT / 'engine'}", f"-I{ROOT / 'engine/include'}"]
    source = ROOT / "engine/dispatch/level.cpp"
    subprocess.run(
        [COMPILER, "-std=c++20", "-O0", "-w", *flags, *macros, *folders, "-c", str(source), "-o", str(unit)], check=True
    )
    listing = subprocess.run(["nm", "-C", str(unit)], check=True, capture_output=True, text=True).stdout
    symbols = [line[16:].split(maxsplit=1) for line in listing.splitlines()]
    assert [symbol for kind, symbol in symbols if kind in "uVvWw"] == []
    assert [symbol for kind, symbol in symbols if kind in "BDRT"] == [f"elman::functions_{name}"]


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(), reason="needs Linux on x86-64"
)
def test_every_set_that_the_system_names_is_there():
    # compilers' libraries that do not ask the processor have been met: all was right, and three times as slow
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\nflags")[2].partition("\n")[0].split())
    needs = {"avx512": {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}, "avx2": {"avx2", "fma"}}
    assert _engine.instruction_sets() == [*(name for name, need in needs.items() if need <= flags), "x86-64"]
