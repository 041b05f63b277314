"""Kernels compiled by NVRTC, which needs no GPU, and kept."""

import threading
from pathlib import Path

import pytest

pytest.importorskip("cuda.bindings.nvrtc", reason="needs the extra cuda: make test-cuda-compile")

from elman.ops._cuda import _cache, _compiler
from elman.ops._cuda._launches import Kernel
from tests.cuda.own import CASES, kernels_of
from tests.cuda.own import CELLS as OWN_CELLS
from tests.cuda.shim import CELLS, HOPPER, OTHERS, STEPS, kernel, kernels
from tests.engine.compiler import ROOT

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100")


@pytest.fixture(scope="module", autouse=True)
def _compiles() -> None:
    try:
        _compiler.compiler_version()
    except Exception as error:
        pytest.skip(f"needs NVRTC: {error}")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The sources of this checkout, and a place of its own for what comes of them."""
    monkeypatch.setattr(_compiler, "_SOURCES", ROOT / "engine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return _cache.folder()


def _some() -> list[tuple[str, str]]:
    """Each kind of kernel for each architecture, and each cell, forward and back, for one of them."""
    steps = [
        (f"{loop}<{CELLS[(place + turn) % len(CELLS)]}_cell,{1 + place % 2},2>", architecture)
        for place, architecture in enumerate(ARCHITECTURES)
        for turn, loop in enumerate(STEPS)
    ]
    return steps + [(function, architecture) for function in OTHERS for architecture in ARCHITECTURES]


@pytest.mark.parametrize(("function", "architecture"), _some())
def test_a_kernel_is_compiled_without_a_gpu(function: str, architecture: str) -> None:
    assert _compiler.compiled(kernel(function), architecture)[:4] == b"\x7fELF"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("function", kernels())
def test_every_kernel_is_compiled_for_every_architecture(function: str, architecture: str) -> None:
    assert _compiler.compiled(kernel(function), architecture)[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("LayerNormRNN", "sm_90"),
        *(pytest.param(name, of, marks=pytest.mark.slow) for name in OWN_CELLS for of in ARCHITECTURES),
    ],
)
def test_a_cell_of_ones_own_is_compiled_without_a_gpu(name: str, architecture: str) -> None:
    for of_program in kernels_of([(CASES[name], HOPPER)]):
        assert _compiler.compiled(of_program, architecture)[:4] == b"\x7fELF"


def test_what_is_compiled_is_kept_for_its_sources_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = kernel("add_groups")
    code = _compiler.compiled(small, "sm_90")
    monkeypatch.setattr(_compiler, "_compile", lambda *_: pytest.fail("compiled again"))
    assert _compiler.compiled(small, "sm_90") == code
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    monkeypatch.setattr(_compiler, "_compile", lambda *_: b"again")
    assert _compiler.compiled(small, "sm_90") == b"again"
    monkeypatch.setattr(_compiler, "_compile", lambda *_: b"other")
    monkeypatch.setattr(_compiler, "_sources_hash", lambda: "other")
    assert _compiler.compiled(small, "sm_90") == b"other"
    assert len([*folder.iterdir()]) == 2
    monkeypatch.setattr(_compiler, "_compile", lambda *_: b"another")
    assert _compiler.compiled(small._replace(text="// another cell"), "sm_90") == b"another"


def test_a_kernel_that_cannot_be_compiled_says_why_in_one_line() -> None:
    with pytest.raises(RuntimeError, match="no_such_function for sm_90: ") as told:
        _compiler.compiled(Kernel("no_such_function", "GroupArguments", 256), "sm_90")
    assert "\n" not in str(told.value)


def test_a_compilation_that_takes_long_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told, say = threading.Event(), _compiler._tell

    def tell(architecture: str) -> None:
        say(architecture)
        told.set()

    monkeypatch.setattr(_compiler, "_told", threading.Lock())
    monkeypatch.setattr(_compiler, "_PATIENCE", 0.0)
    monkeypatch.setattr(_compiler, "_tell", tell)
    monkeypatch.setattr(_compiler, "_compile", lambda *_: b"code" if told.wait(60) else b"")
    _compiler.compiled(kernel("add_groups"), "sm_90")
    told.clear()
    _compiler.compiled(kernel("sum_gradients"), "sm_90")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "elman: compiling kernels for sm_90, which are then kept"
