"""The columns of a file with a token a line."""

import re

from elman._errors import InputError, listed, shown

__all__ = ["Columns"]

CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_NUMBER = re.compile(r"-?[1-9][0-9]{0,3}")
_COMMENT = re.compile(r"#\s*(\S+\s*=|newdoc|newpar)")
_SPAN_TAG = re.compile(r"O|[BIESLU]-\S+")


class Columns:
    """Finds a token and its tag in each line of a file; what the first line shows holds for all.

    Args:
        name: what messages call the file.
        kind: ``columns`` or ``conllu``.
        token, tag: which columns, as :func:`elman.tasks._tagger.files.read_sentences` takes them.
        tagged: whether tags are wanted.
    """

    def __init__(self, name: str, kind: str, token: str | None, tag: str | None, tagged: bool) -> None:
        self.name, self.is_conllu = name, kind == "conllu"
        defaults = ("FORM", "UPOS") if self.is_conllu else ("1", "-1")
        named = {"token": token or defaults[0], "tag": tag or defaults[1]}
        self.wanted = named if tagged else {"token": named["token"]}
        self.has_header = not self.is_conllu and not all(map(_NUMBER.fullmatch, named.values()))
        self.separator: str | None = "\t"
        self.width, self.first_line = 0, 0
        self.places: list[int] = []

    def is_comment(self, line: str) -> bool:
        """Whether a line before a sentence is about it, such as ``# text = …``; a token may begin with ``#`` too."""
        if not line.startswith("#"):
            return False
        if self.is_conllu or _COMMENT.match(line):
            return True
        if not self.width:  # nothing shows yet what the line of a token looks like
            return line[1:2].isspace() and not _SPAN_TAG.fullmatch(line.split()[-1])
        return len(self._fields(line)) != self.width or (self.separator is None and "\t" in line)

    def values(self, line: str, number: int) -> list[str] | None:
        """Return the token of a line and, if wanted, its tag; ``None`` if it holds none."""
        if not self.width:
            return self._begin(line, number)
        fields = self._fields(line)
        if len(fields) != self.width:
            as_first = "" if self.is_conllu else f" as on line {self.first_line}"
            raise InputError(f"{self.name}, line {number}: expected {self._columns()}{as_first}, got {len(fields)}")
        if self.is_conllu and not fields[0].isdecimal():
            return None  # a range of several words, or an empty node
        values = [fields[place].strip(" ") or fields[place] for place in self.places]
        for role, value, place in zip(self.wanted, values, self.places, strict=True):
            if not value or (self.is_conllu and value == "_" and self.wanted[role] in ("UPOS", "XPOS")):
                got = "_" if value else "an empty field"
                raise InputError(f"{self.name}, line {number}, column {place + 1}: expected a {role}, got {got}")
        return values

    def _begin(self, line: str, number: int) -> list[str] | None:
        """Take from the first line what separates columns, how many there are, and which are wanted."""
        self.separator = "\t" if self.is_conllu or "\t" in line else None
        fields = self._fields(line)
        self.width, self.first_line = len(CONLLU) if self.is_conllu else len(fields), number
        header = CONLLU if self.is_conllu else fields if self.has_header else ()
        self.places = [self._place(column, header, number) for column in self.wanted.values()]
        if len(set(self.places)) < len(self.places):
            expected = "expected a column of tokens and one of tags, between spaces or tabs"
            got = f"column {self.places[0] + 1} of {self.width} for both"
            raise InputError(f"{self.name}, line {number}: {expected}, got {got}")
        return None if self.has_header else self.values(line, number)

    def _place(self, column: str, header: tuple[str, ...] | list[str], number: int) -> int:
        if column in header:
            return header.index(column)
        if not _NUMBER.fullmatch(column):
            have = listed(map(shown, header))
            raise InputError(f"{self.name}, line {number}: expected a column {column!r}, the columns are {have}")
        place = int(column) - 1 if int(column) > 0 else self.width + int(column)
        if not 0 <= place < self.width:
            raise InputError(f"{self.name}, line {number}: expected a column {column}, got {self._columns()}")
        return place

    def _fields(self, line: str) -> list[str]:
        return line.split("\t") if self.separator else re.split("[ \t]+", line.strip(" \t"))

    def _columns(self) -> str:
        return f"{self.width} column{'s' * (self.width != 1)}"
