"""What has been compiled is kept, whatever becomes of the folder."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from elman.ops._cuda import _cache


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_cache, "_told", threading.Lock())
    return _cache.folder()


def test_what_is_kept_comes_back_under_its_name_alone(folder: Path) -> None:
    assert _cache.kept("one") is None
    _cache.keep("one", b"first")
    _cache.keep("other", b"second")
    assert (_cache.kept("one"), _cache.kept("other"), _cache.kept("third")) == (b"first", b"second", None)
    assert {path.name for path in folder.iterdir()} == {"one", "other"}


@pytest.mark.parametrize("left", [0, 1, 31, 32, 40, -1])
def test_a_file_that_was_cut_is_as_none_and_is_written_again(folder: Path, left: int) -> None:
    _cache.keep("one", b"machine code")
    (folder / "one").write_bytes((folder / "one").read_bytes()[:left])
    assert _cache.kept("one") is None
    _cache.keep("one", b"machine code")
    assert _cache.kept("one") == b"machine code"


def test_many_may_keep_the_same_at_once(folder: Path) -> None:
    content = bytes(range(256)) * 4096

    def use(_: int) -> bytes | None:
        _cache.keep("one", content)
        return _cache.kept("one")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(64))) == {content}
    assert [path.name for path in folder.iterdir()] == ["one"]


def test_a_folder_that_cannot_be_made_costs_only_the_keeping_and_says_so_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.parent.touch()  # a file, where the folder's parent would be
    for name in ("one", "other"):
        _cache.keep(name, b"machine code")
        assert _cache.kept(name) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("elman: compiled kernels cannot be kept: ")


def test_a_disk_that_is_full_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cache.os, "replace", full)
    _cache.keep("one", b"machine code")
    assert not [*folder.iterdir()]


def test_a_user_without_a_home_has_a_line_that_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", "relative/to/nothing")
    monkeypatch.setattr(Path, "home", homeless)
    _cache.keep("one", b"machine code")
    assert _cache.kept("one") is None
    assert "there is no home folder, and no XDG_CACHE_HOME" in capsys.readouterr().err
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    assert _cache.folder() == Path("/home/somebody/.cache/elman/kernels")
