"""``history.csv``: the figures of each epoch."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from elman._errors import InputError

__all__ = ["EpochRecord", "history_lines", "read_history"]

FIXED = ("epoch", "loss", "seconds")


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's figures."""

    epoch: int
    loss: float
    scores: dict[str, float]
    seconds: float


def history_lines(history: Sequence[EpochRecord]) -> str:
    """Write a table with one row an epoch."""
    stream = io.StringIO()
    names = list(history[0].scores) if history else []
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["epoch", "loss", *names, "seconds"])
    for record in history:
        writer.writerow([record.epoch, record.loss, *record.scores.values(), round(record.seconds, 3)])
    return stream.getvalue()


def read_history(content: bytes, name: str) -> list[EpochRecord]:
    """Read what :func:`history_lines` wrote.

    Raises:
        InputError: it is no such table.
    """
    try:
        return [
            EpochRecord(
                int(row["epoch"]),
                float(row["loss"]),
                {key: float(value) for key, value in row.items() if key not in FIXED},
                float(row["seconds"]),
            )
            for row in csv.DictReader(content.decode().splitlines())
        ]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{name}: expected the figures of each epoch, got: {str(error)!r:.100}") from None
