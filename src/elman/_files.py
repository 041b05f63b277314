"""Files that are either wholly written or not there at all."""

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from elman._errors import InputError

__all__ = ["make_folder", "write_files", "writing"]


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
    staged: dict[str, str] = {}
    try:
        with writing(folder):
            for name, content in contents.items():
                descriptor, staged[name] = tempfile.mkstemp(prefix=f".{name}-", dir=folder)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.chmod(staged[name], 0o666 & ~_umask())
            for name in contents:
                os.replace(staged[name], folder / name)
                del staged[name]
            _sync_folder(folder)
    finally:
        for temporary in staged.values():
            if os.path.exists(temporary):
                os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
