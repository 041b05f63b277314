"""The command line: ``elman train classify``, ``evaluate``, ``predict``, ``show``, ``info``, ``export``, ``bench``."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0; 1 where a package is absent; 2 for input that cannot be used; 130 after Ctrl-C.

    Args:
        arguments: the words after ``elman``; ``None`` takes them from the process.
    """
    # torch's waiting threads otherwise spin: beside another busy process, training took up to eight times as long
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:  # labels that the terminal has no characters for
        reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        print("elman: expected output that can be written, standard output is closed", file=sys.stderr)
        return 2
    try:
        from elman.cli._app import run

        with warnings.catch_warnings():
            warnings.simplefilter("always", RuntimeWarning)
            warnings.showwarning = _show_warning
            code = run(words)
        print(end="", flush=True)  # here, where it may still fail with a message
        return code
    except BrokenPipeError:  # the reader of our output has gone (`elman predict … | head`)
        _discard_output()
        return 0
    except OSError as error:
        print(f"elman: expected output that can be written, got: {error.strerror}", file=sys.stderr)
        _discard_output()
        return 2
    except KeyboardInterrupt:
        print("elman: interrupted", file=sys.stderr)
        return 130


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"elman: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _discard_output() -> None:
    """Let what is still buffered go nowhere, or Python would complain of it at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
