"""Times processes of the runtime, which needs no PyTorch, from start to end; and weighs the package.

    python benchmarks/runtime.py

Steps and whole sequences are in the table of ``elman bench``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import timeit
from pathlib import Path

import elman
from elman import _engine

MODEL = Path(__file__).parents[1] / "tests/models/version_1"


def seconds_of(*words: str, cwd: str) -> float:
    """The wall time of a process, best of ten."""
    command = lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=cwd)  # noqa: E731
    return min(timeit.repeat(command, number=1, repeat=10))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lines.txt").write_text("学而时习之，不亦说乎？\n", encoding="utf-8")
        numpy = seconds_of(sys.executable, "-c", "import numpy", cwd=folder)
        package = seconds_of(sys.executable, "-c", "import numpy, elman; elman.runtime", cwd=folder)
        predict = seconds_of(sys.executable, "-m", "elman", "predict", str(MODEL), "lines.txt", cwd=folder)
    beyond, before = (package - numpy) * 1e3, numpy * 1e3
    print(f"import elman and elman.runtime: {beyond:.0f} ms beyond NumPy's {before:.0f} ms (with Python itself)")
    print(f"elman predict of one line: {predict:.2f} s from start to end")
    folders = {Path(elman.__file__).parent, Path(_engine.__file__).parent}  # two of an editable installation
    files = {path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    size = sum(path.stat().st_size for path in files)
    print(f"package: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
