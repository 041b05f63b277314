"""What has been compiled, kept in a folder from one process to the next.

Any number of processes may use it at once: a file is there whole or not at all. It begins with the hash of the rest, by
which one that was cut, when the machine crashed, is known.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from elman._errors import one_line

__all__ = ["folder", "keep", "kept"]


def folder() -> Path:
    """``elman/kernels`` in ``XDG_CACHE_HOME``, or in ``~/.cache``.

    Raises:
        OSError: there is no home folder.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # as its specification has it
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # a user whom the system does not know, and no HOME
            raise FileNotFoundError("there is no home folder, and no XDG_CACHE_HOME") from None
    return base / "elman" / "kernels"


def kept(name: str) -> bytes | None:
    """What is kept by this name; None where there is nothing, or nothing whole."""
    with suppress(OSError):
        whole = (folder() / name).read_bytes()
        digest, content = whole[:32], whole[32:]
        if hashlib.sha256(content).digest() == digest:
            return content
    return None


def keep(name: str, content: bytes) -> None:
    """Keep it by this name. Where that cannot be, one line says why, once in a process."""
    try:
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        descriptor, staged = tempfile.mkstemp(dir=place, prefix=".")
        try:
            with open(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(content).digest() + content)
            os.replace(staged, place / name)
        except BaseException:
            os.unlink(staged)
            raise
    except OSError as error:
        if _told.acquire(blocking=False):
            print(f"elman: compiled kernels cannot be kept: {one_line(error)}", file=sys.stderr)


_told = threading.Lock()
