"""The delimiter of a table, and where its header is."""

import re
from collections.abc import Iterator
from itertools import chain, islice

__all__ = ["DELIMITERS", "find_table"]

DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma"}  # the rarer within a field the earlier
LOOKED_AT = 20  # rows, where several delimiters would split the header
MOST_COMMENTS = 1000

_SAID = re.compile(r'"?sep=([,;|:~^\t ])"?\s*', re.IGNORECASE)  # Excel's own first line
_QUOTED = re.compile(r'"[^"]*(?:"|$)')


def find_table(lines: Iterator[str], format: str) -> tuple[Iterator[str], str, int]:
    """Find the header of a table and its delimiter.

    Lines before the header that begin with ``#`` and have not as many fields are comments; a line ``sep=;`` names the
    delimiter.

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
    delimiter = _delimiter(begin[-1], rows := list(_looked_at(begin[-1], lines)), format)
    fields = _fields(begin[-1], delimiter)
    header = (not _is_comment(line) if fields == 1 else _fields(line, delimiter) == fields for line in begin)
    skipped = [*header, True].index(True)
    return chain(begin[skipped:], rows, lines), delimiter, skipped


def _is_comment(line: str) -> bool:
    """Whether a line above a table of one column is no name of it."""
    return line.startswith("# ")


def _looked_at(header: str, lines: Iterator[str]) -> Iterator[str]:
    """Return some rows; none where one delimiter alone splits the header: no row is waited for in vain."""
    return islice(lines, LOOKED_AT if len(_candidates(header)) > 1 else 0)


def _candidates(header: str) -> list[str]:
    return [delimiter for delimiter in DELIMITERS if _fields(header, delimiter) > 1]


def _delimiter(header: str, rows: list[str], format: str) -> str:
    """Return the delimiter by which most rows have as many fields as the header."""

    def fitting(delimiter: str) -> int:
        fields = _fields(header, delimiter)
        return sum(_fields(row, delimiter) == fields for row in rows)

    return max(_candidates(header), key=fitting, default="\t" if format == "tsv" else ",")


def _fields(line: str, delimiter: str) -> int:
    return _QUOTED.sub("", line).count(delimiter) + 1
