"""Labelled sequences of numbers from a file: .ts, .npz, or a table with a row for each step."""

from pathlib import Path

from elman._errors import InputError
from elman.tasks._classifiers.npz_file import read_npz
from elman.tasks._classifiers.sequence_table import SequenceColumns, read_sequence_table
from elman.tasks._classifiers.sequences import Sequences
from elman.tasks._classifiers.ts_file import read_ts
from elman.tasks._reading import TABLE, file_format

__all__ = ["SequenceColumns", "holds_sequences", "read_sequences"]

SUFFIXES = (".npz", ".ts")


def holds_sequences(path: str | Path) -> bool:
    """Whether a file's suffix says that it holds sequences of numbers; a table may hold them too."""
    return Path(path).suffix.lower() in SUFFIXES


def read_sequences(path: str | Path, columns: SequenceColumns, *, labelled: bool, encoding: str = "utf-8") -> Sequences:
    """Read the sequences of a file.

    Args:
        path: a .ts file, a .npz file, or a table (.csv, .tsv or .jsonl).
        columns: of a table.
        labelled: whether labels are needed; without, they are not looked for in a table.
        encoding: of a .ts file or a table.

    Raises:
        InputError: whatever is wrong with the file; the message names the place and what was expected.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        found = read_npz(path)
    elif suffix == ".ts":
        found = read_ts(path, encoding)
    elif file_format(path) == "text":
        expected = "sequences of numbers (.ts, .npz, .csv, .tsv or .jsonl)"
        raise InputError(f"{path}: expected {expected}, got plain text{TABLE}")
    else:
        found = read_sequence_table(path, columns, labelled=labelled, encoding=encoding)
    if labelled and found.labels is None:
        raise InputError(f"{path}: expected sequences with labels, got some without")
    return found
