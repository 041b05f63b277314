"""The units that are compiled once per instruction set."""

import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from elman import _engine
from tests.engine.compiler import COMPILER, FLAGS, ROOT, compiled_engine

LEVELS = list(FLAGS) if platform.machine() == "x86_64" else ["baseline"]


# A weak function compiled for one instruction set may be taken for another's and end in SIGILL.


def assert_all_is_its_own(listing, name):
    symbols = [line[16:].split(maxsplit=1) for line in listing.splitlines() if line]
    # what the compiler says of exceptions is weak data, the same at every level
    assert [symbol for kind, symbol in symbols if kind in "uVvWw" and not symbol.startswith("DW.ref.")] == []
    assert [symbol for kind, symbol in symbols if kind in "BDRT"] == [f"elman::functions_{name}"]


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_no_level_shares_a_function_with_the_linker():
    engine = compiled_engine()
    if engine is None:
        pytest.skip("needs the build of this checkout")
    listing = subprocess.run(["nm", "-C", engine], check=True, capture_output=True, text=True).stdout
    units = [part for part in listing.split("\n\n") if part.lstrip().startswith("level.cpp.o:\n")]
    names = [re.search(r" elman::functions_(\w+)$", unit, re.MULTILINE)[1] for unit in units]
    assert sorted(names) == sorted(LEVELS)
    for name, unit in zip(names, units, strict=True):
        assert_all_is_its_own(unit.partition(":\n")[2], name)


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None or shutil.which("nm") is None, reason="needs a C++ compiler and nm")
@pytest.mark.parametrize("name", LEVELS)
def test_a_level_shares_no_function_even_where_none_is_inlined(name, tmp_path):
    vector_bytes, flags = FLAGS[name]
    unit = tmp_path / "level.o"
    macros = [f"-DELMAN_VECTOR_BYTES={vector_bytes}", f"-DELMAN_FUNCTIONS=functions_{name}"]
    folders = [f"-I{ROOT / 'engine'}", f"-I{ROOT / 'engine/include'}"]
    source = ROOT / "engine/dispatch/level.cpp"
    subprocess.run(
        [COMPILER, "-std=c++20", "-O0", "-w", *flags, *macros, *folders, "-c", str(source), "-o", str(unit)], check=True
    )
    assert_all_is_its_own(subprocess.run(["nm", "-C", unit], check=True, capture_output=True, text=True).stdout, name)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(), reason="needs Linux on x86-64"
)
def test_every_set_that_the_system_names_is_there():
    # compilers' libraries that do not ask the processor have been met: all was right, and three times as slow
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\nflags")[2].partition("\n")[0].split())
    needs = {"avx512": {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}, "avx2": {"avx2", "fma"}}
    assert _engine.instruction_sets() == [*(name for name, need in needs.items() if need <= flags), "x86-64"]
