"""Files that are either wholly written or not there at all, and reading files of whatever kind with care."""

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from elman._errors import InputError, shown

__all__ = ["current_file", "make_folder", "open_file", "read_file", "replace_files", "write_files", "writing"]

STAGED, COMPLETE = ".elman-staged", ".elman-complete"
FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def open_file(path: Path, within: Path | None = None, limit: int | None = None) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file for reading, and nothing that could block, never end or lie outside a folder.

    Args:
        path: the file, or a link to it.
        within: a folder that links may not leave.
        limit: the most bytes it may have.

    Yields:
        The stream, and the file's size in bytes.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if "\0" in str(path):
        raise InputError(f"{shown(str(path))}: expected the name of a file, got one with a NUL in it")
    try:
        real = os.path.realpath(path, strict=True)
        if within is not None and not Path(real).is_relative_to(os.path.realpath(within)):
            raise InputError(f"{path}: expected a file within {within}, got a link that leads out of it")
        _check_regular(path, os.stat(real))  # before it is opened: opening alone acts on some devices
        with open(os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            found = os.fstat(stream.fileno())
            _check_regular(path, found)
            if limit is not None and found.st_size > limit:
                raise InputError(f"{path}: expected a file of at most {limit} bytes, got {found.st_size}")
            yield stream, found.st_size
    except OSError as error:
        raise InputError(f"{path}: expected a readable file, {error.strerror}") from None
    except MemoryError:
        raise InputError(f"{path}: expected a file that fits into memory, got a larger one") from None


def read_file(path: Path, within: Path | None = None, limit: int | None = None) -> bytes:
    """Return the bytes of a regular file; the arguments and refusals are those of :func:`open_file`."""
    with open_file(path, within, limit) as (stream, size):
        content = stream.read(size + 1)
    if len(content) != size:
        raise InputError(f"{path}: expected a file that stays as it is, got another size when it was read")
    return content


def _check_regular(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: expected a file, got {FILE_TYPES.get(stat.S_IFMT(found.st_mode), 'none')}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about a place that cannot be written into an :class:`InputError`."""
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EACCES: "permission was denied",
            errno.EPERM: "permission was denied",
            errno.EROFS: "the file system is read-only",
            errno.ENOTDIR: "a part of the path is a file",
            errno.EEXIST: "there is a file of that name",
        }
        reason = reasons.get(error.errno or 0, error.strerror or str(error))
        raise InputError(f"{path}: expected a place that can be written, {reason}") from None


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and see that files can be made in it.

    Raises:
        InputError: it cannot be written.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        descriptor, probe = tempfile.mkstemp(prefix=".elman-", dir=path)
        os.close(descriptor)
        os.unlink(probe)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all the files of a folder, or, if one cannot be written, none of them.

    All reach the disk as temporary files before any is renamed to its place, in the order given.

    Args:
        folder: where to.
        contents: the bytes of each file by its name.

    Raises:
        InputError: they cannot be written (no room, no permission).
    """
    staged: dict[str, Path] = {}
    try:
        with writing(folder):
            for name, content in contents.items():
                temporary = folder / f".{name}-{secrets.token_hex(8)}"
                with open(temporary, "xb") as stream:
                    staged[name] = temporary
                    _write(stream, content)
            for name in contents:
                os.replace(staged[name], folder / name)
                del staged[name]
            _sync_folder(folder)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace files that belong together: who reads :func:`current_file` finds all the old ones or all the new.

    They are written into a folder within; renaming it is the moment at which the new ones begin to count. Then
    each moves to its place. If the process ends before, readers find the rest in that folder, and the next call
    moves them. The folder's other files are left alone.

    Args:
        folder: where to; it exists.
        contents: the bytes of each file by its name, of the same names each time.

    Raises:
        InputError: they cannot be written (no room, no permission).
    """
    staged, complete = folder / STAGED, folder / COMPLETE
    with writing(folder):
        _move_into_place(folder, contents)
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            for name, content in contents.items():
                with open(staged / name, "xb") as stream:
                    _write(stream, content)
            _sync_folder(staged)
            staged.rename(complete)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        _sync_folder(folder)
        _move_into_place(folder, contents)


def current_file(folder: Path, name: str) -> Path:
    """Return where the latest of a folder's files lies that :func:`replace_files` wrote."""
    complete = folder / COMPLETE / name
    return complete if os.path.lexists(complete) else folder / name


def _move_into_place(folder: Path, names: Iterable[str]) -> None:
    complete = folder / COMPLETE
    if complete.is_symlink():  # of somebody's making: what it leads to is not ours to move
        complete.unlink()
    if complete.exists():
        for name in names:
            if os.path.lexists(complete / name):
                os.replace(complete / name, folder / name)
        complete.rmdir()
        _sync_folder(folder)


def _write(stream: BinaryIO, content: bytes) -> None:
    stream.write(content)
    stream.flush()
    os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
