import errno
import os
import socket
from pathlib import Path

import pytest

from elman._files import current_file, open_file, read_file, replace_files, write_files
from tests.runtime.refusals import refusal

pytestmark = pytest.mark.timeout(20)  # a pipe or a device must never keep anybody waiting


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_a_file_is_read(folder):
    (folder / "a").write_bytes(b"content")
    assert read_file(folder / "a", folder, 7) == b"content"
    (folder / "empty").touch()
    assert read_file(folder / "empty") == b""
    with open_file(folder / "a") as (stream, size):
        assert (stream.read(3), size) == (b"con", 7)


def special(path, kind):
    if kind == "a folder":
        path.mkdir()
    elif kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(path.parent)  # the path of a socket may have 108 bytes
            listener.bind(path.name)
            os.chdir(here)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["a folder", "a named pipe", "a socket", "a device"])
def test_only_regular_files_are_read(folder, kind):
    special(folder / "a", kind)
    assert refusal(read_file, folder / "a") == f"{folder / 'a'}: expected a file, got {kind}"


def test_a_pipe_that_takes_the_file_s_place_is_refused(folder, monkeypatch):
    (folder / "a").write_bytes(b"content")
    os.mkfifo(folder / "pipe")
    opened = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: opened(folder / "pipe", flags))
    assert refusal(read_file, folder / "a") == f"{folder / 'a'}: expected a file, got a named pipe"


def test_links_may_not_lead_out_of_the_folder(folder):
    outside = folder.parent / "outside"
    outside.write_bytes(b"mine")
    (folder / "a").symlink_to(outside)
    (folder / "b").symlink_to("../outside")
    (folder / "c").symlink_to("b")
    (folder.parent / "folder2").mkdir()
    (folder.parent / "folder2" / "x").write_bytes(b"mine")
    (folder / "d").symlink_to("../folder2/x")
    (folder / "e").symlink_to("../folder2")
    for path in (folder / "a", folder / "b", folder / "c", folder / "d", folder / "e" / "x", folder / ".." / "outside"):
        expected = f"{path}: expected a file within {folder}, got a link that leads out of it"
        assert refusal(read_file, path, folder) == expected
    assert read_file(folder / "a") == b"mine"  # a path that the user gave


def test_links_within_the_folder_are_followed(folder):
    (folder / "real").write_bytes(b"content")
    (folder / "a").symlink_to("real")
    (folder.parent / "link").symlink_to(folder)
    assert read_file(folder / "a", folder) == b"content"
    assert read_file(folder.parent / "link" / "a", folder.parent / "link") == b"content"


def test_what_is_not_there_is_refused(folder):
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("none")
    (folder / "file").touch()
    for name, reason in {
        "none": "No such file or directory",
        "dangling": "No such file or directory",
        "loop": "Too many levels of symbolic links",
        "file/within": "Not a directory",
        "x" * 300: "File name too long",
    }.items():
        assert refusal(read_file, folder / name) == f"{folder / name}: expected a readable file, {reason}"


def test_what_may_not_be_read_is_refused(folder, monkeypatch):
    (folder / "a").touch()

    def denied(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", denied)
    assert refusal(read_file, folder / "a") == f"{folder / 'a'}: expected a readable file, Permission denied"


def test_large_files_are_refused_unread(folder):
    (folder / "a").touch()
    os.truncate(folder / "a", 2**34)
    assert refusal(read_file, folder / "a", None, 100).endswith("expected a file of at most 100 bytes, got 17179869184")


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs a file that claims 0 bytes and has more")
def test_a_file_longer_than_it_says_is_refused():
    assert "expected a file that stays as it is" in refusal(read_file, Path("/proc/self/status"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def full(descriptor, calls=[]):  # noqa: B006
    calls.append(descriptor)
    if len(calls) % 2 == 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("write", [write_files, replace_files])
def test_files_are_written_wholly_or_not_at_all(folder, monkeypatch, write):
    write(folder, {"a": b"old", "b": b"old"})
    monkeypatch.setattr(os, "fsync", full)
    expected = f"{folder}: expected a place that can be written, the disk is full"
    assert refusal(write, folder, {"a": b"new", "b": b"new"}) == expected
    assert contents(folder) == {"a": b"old", "b": b"old"}


def test_files_are_replaced_and_others_left_alone(folder):
    (folder / "notes").write_bytes(b"mine")
    for content in (b"old", b"new"):
        replace_files(folder, {"a": content, "b": content})
    assert contents(folder) == {"notes": b"mine", "a": b"new", "b": b"new"}
    assert (folder / "a").stat().st_mode == (folder / "notes").stat().st_mode


def test_a_link_is_replaced_and_not_followed(folder):
    outside = folder.parent / "outside"
    outside.write_bytes(b"mine")
    (folder / "a").symlink_to(outside)
    replace_files(folder, {"a": b"new"})
    assert (outside.read_bytes(), (folder / "a").read_bytes()) == (b"mine", b"new")


def test_the_latest_files_are_found_wherever_the_writer_stopped(folder):
    for name in ("a", "b"):
        (folder / name).write_bytes(b"old")
    (folder / ".elman-staged").mkdir()
    (folder / ".elman-staged" / "a").write_bytes(b"cut sho")
    assert [current_file(folder, name).read_bytes() for name in "ab"] == [b"old", b"old"]
    (folder / ".elman-complete").mkdir()
    (folder / ".elman-complete" / "b").write_bytes(b"new")
    (folder / "a").write_bytes(b"new")
    assert [current_file(folder, name).read_bytes() for name in "ab"] == [b"new", b"new"]
    replace_files(folder, {"a": b"newer", "b": b"newer"})
    assert contents(folder) == {"a": b"newer", "b": b"newer"}


def test_what_a_strange_folder_links_to_is_not_moved(folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a").write_bytes(b"mine")
    (folder / ".elman-complete").symlink_to(elsewhere)
    (folder / ".elman-staged").mkdir()
    replace_files(folder, {"a": b"new"})
    assert (contents(folder), contents(elsewhere)) == ({"a": b"new"}, {"a": b"mine"})
    (folder / ".elman-staged").symlink_to(elsewhere)
    assert "expected a place that can be written, there is a file of that name" in refusal(
        replace_files, folder, {"a": b"newer"}
    )
    assert contents(elsewhere) == {"a": b"mine"}
