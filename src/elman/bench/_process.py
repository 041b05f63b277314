"""The other end of a contender's process."""

import os
import subprocess
import sys
import tempfile
from multiprocessing.connection import Pipe
from types import TracebackType
from typing import Any

from elman._errors import one_line
from elman.bench._contenders import Contender

__all__ = ["Failed", "Process"]

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ELMAN_NUM_THREADS",
    "NPROC",  # XLA's
)
# The command line lets waiting threads sleep at once, which is good manners in training and would slow a peer down.
DROPPED = ("OMP_WAIT_POLICY",)


class Failed(Exception):  # noqa: N818  (an event of the run, not an error in it)
    """A contender did not do what it was asked; the message says why."""


class Process:
    """A contender with a number of threads, in a process that is kept alive; one that died is started again.

    Args:
        contender: who.
        threads: how many it may use.
    """

    def __init__(self, contender: Contender, threads: int) -> None:
        self.contender, self.threads = contender, threads
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, if there is none, and don't wait for it."""
        if self._process:
            return
        kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
        limits = dict.fromkeys(THREADS, str(self.threads))
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
        self._connection, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-m", "elman.bench._worker", self.contender.module, str(self.threads)]
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                env=kept | limits | {"PYTHONSAFEPATH": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
            )
        self._kinds: list[str] | None = None

    def kinds(self) -> list[str]:
        """Return the kinds of work that the contender can do.

        Raises:
            Failed: it cannot even be imported.
        """
        self.start()
        if self._kinds is None:
            try:
                self._kinds = self._answer()
            except Failed:
                self.close()
                raise
        return self._kinds

    def ask(self, request: str, *arguments: Any) -> Any:
        """Send a request and return the answer: a method of :class:`elman.bench._worker.Worker`.

        Raises:
            Failed: it raised an exception, ended, or takes too long.
        """
        self.kinds()
        try:
            self._connection.send((request, *arguments))
        except OSError:
            raise self._ended() from None
        return self._answer()

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._connection.close()
            self._process.kill()
            self._process.wait()
            self._said.close()
            self._process = None

    def _answer(self) -> Any:
        patience = self.contender.patience
        if not self._connection.poll(patience):
            self.close()
            raise Failed(f"no answer within {patience} s")
        try:
            how, what = self._connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if how == "failed":
            raise Failed(one_line(what))
        return what

    def _ended(self) -> Failed:
        assert self._process
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        self.close()
        return Failed(one_line(f"ended with {code}: {last}" if last else f"ended with {code}"))

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
