"""The delimiter of a table, and where its header is."""

import re
from collections.abc import Iterator
from itertools import chain, islice

__all__ = ["DELIMITERS", "SPACE", "find_table"]

DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma"}  # the rarer within a field the earlier
SPACE = " "
LOOKED_AT = 20  # rows, where several delimiters would split the header
MOST_COMMENTS = 1000

_SAID = re.compile(r'"?sep=([,;|:~^\t ])"?\s*', re.IGNORECASE)  # Excel's own first line
_WORD = re.compile(r"[^ \r\n]+")
_QUOTED = re.compile(r'"[^"]*(?:"|$)')


def find_table(lines: Iterator[str], format: str) -> tuple[Iterator[str], str, int]:
    """Find the header of a table and its delimiter.

    Lines before the header that begin with ``#`` and have not as many fields are comments; a line ``sep=;`` names the
    delimiter. One or more spaces are it where nothing else is and most rows have as many words as the header.

    Args:
        lines: of the file.
        format: ``csv`` or ``tsv``, for a header of one field.

    Returns:
        The lines from the header on, the delimiter, and how many lines stand before them.
    """
    begin = []
    for line in islice(lines, MOST_COMMENTS):
        begin.append(line)
        if not line.startswith("#") and line.strip():
            break
    if not begin:
        return lines, ",", 0
    if said := _SAID.fullmatch(begin[-1].rstrip("\r\n")):
        return lines, said[1], len(begin)
    candidates = _candidates(begin[-1], format)
    rows = list(islice(lines, LOOKED_AT if len(candidates) > 1 else 0))  # else no row is waited for in vain
    delimiter = max(candidates, key=lambda delimiter: _fitting(rows, begin[-1], delimiter))
    fields = _fields(begin[-1], delimiter)
    are_words = fields == 1 or delimiter == SPACE
    header = (not _is_comment(line) if are_words else _fields(line, delimiter) == fields for line in begin)
    skipped = [*header, True].index(True)
    return chain(begin[skipped:], rows, lines), delimiter, skipped


def _is_comment(line: str) -> bool:
    """Whether a line above a table of one column, or one between spaces, is no header."""
    return line.startswith("# ")


def _candidates(header: str, format: str) -> list[str]:
    """Return the delimiters that may split a table, of those that fit as many rows the first."""
    found = [delimiter for delimiter in DELIMITERS if _fields(header, delimiter) > 1]
    of_one_column = "\t" if format == "tsv" else ","
    return found or [SPACE] * (_fields(header, SPACE) > 1) + [of_one_column]


def _fitting(rows: list[str], header: str, delimiter: str) -> int:
    """Return how many rows have as many fields as the header."""
    fields = _fields(header, delimiter)
    return sum(_fields(row, delimiter) == fields for row in rows if row.strip())


def _fields(line: str, delimiter: str) -> int:
    unquoted = _QUOTED.sub("x", line)
    return len(_WORD.findall(unquoted)) if delimiter == SPACE else unquoted.count(delimiter) + 1
