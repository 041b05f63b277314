"""Labelled texts from a file."""

from dataclasses import dataclass, field
from pathlib import Path

from elman._errors import InputError
from elman.tasks._reading import TABLE, file_format, open_input, read_table

__all__ = ["Examples", "read_examples"]


@dataclass
class Examples:
    """Texts, their labels, and the line that each starts on."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_examples(path: str | Path, text: str, label: str, encoding: str = "utf-8") -> Examples:
    """Read the text column and the label column of a CSV, TSV or JSON lines file; labels are stripped.

    Raises:
        InputError: whatever is wrong with the file, an empty text or label included.
    """
    format = file_format(path)
    if format == "text":
        raise InputError(
            f"{path}: expected a table with texts and labels (.csv, .tsv or .jsonl), got plain text{TABLE}"
        )
    if text == label:
        raise InputError(f"{path}: expected two columns, got {text!r} for both the text and the label")
    examples = Examples()
    with open_input(path) as stream:
        options = {text: "text", label: "label"}
        for row in read_table(stream, str(path), format, (text, label), encoding, options=options):
            for column in (text, label):
                if not row.values[column].strip():
                    what = "a text" if column == text else "a label"
                    raise InputError(f"{path}, line {row.line}, column {column!r}: expected {what}, got an empty field")
            examples.texts.append(row.values[text])
            examples.labels.append(row.values[label].strip())
            examples.lines.append(row.line)
    return examples
