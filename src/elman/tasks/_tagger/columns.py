"""The columns of a file with a token a line."""

import re
from collections.abc import Sequence

from elman._errors import InputError, shown
from elman.tasks._reading import no_such_column

__all__ = ["Columns", "is_header"]

CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
# What the first line may call the first and the last column; it is no token with its tag then.
HEADER = (
    {"token", "tokens", "word", "words", "form", "text", "char", "character", "字", "词"},
    {"tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "pos", "upos", "bio", "iob", "slot", "标签"},
)
_NUMBER = re.compile(r"-?[1-9][0-9]{0,3}")
_COMMENT = re.compile(r"#\s*\S+\s+=(\s|$)|#\s+(newdoc|newpar)\b")
_WORD_ID = re.compile(r"[0-9]+")
_OTHER_ID = re.compile(r"[0-9]+[-.][0-9]+")  # a range of several words, or an empty node


def is_header(fields: Sequence[str]) -> bool:
    """Return whether a line names the first and the last column as a token and its tag."""
    return fields[0].strip().lower() in HEADER[0] and fields[-1].strip().lower() in HEADER[1]


class Columns:
    """Finds a token and its tag in each line of a file; what the first lines show holds for all.

    Args:
        name: what messages call the file.
        format: ``columns`` or ``conllu``.
        token, tag: which columns, as :func:`elman.tasks._tagger.files.read_sentences` takes them.
        tagged: whether tags are wanted.

    Attributes:
        header: the number of the line that names the columns, 0 if none does.
    """

    def __init__(self, name: str, format: str, token: str | None, tag: str | None, tagged: bool) -> None:
        self.name, self.is_conllu = name, format == "conllu"
        defaults = ("FORM", "UPOS") if self.is_conllu else ("1", "-1")
        named = {"token": token or defaults[0], "tag": tag or defaults[1]}
        self.wanted = named if tagged else {"token": named["token"]}
        self.is_named = not self.is_conllu and not all(map(_NUMBER.fullmatch, named.values()))
        self.separator: str | None = "\t"
        self.width, self.first_line, self.header = 0, 0, 0
        self.places: list[int] = []

    def begin(self, lines: Sequence[tuple[int, str]]) -> None:
        """Take from a file's first lines what separates columns, how many there are, and which are wanted.

        Args:
            lines: their numbers and texts, none of them blank; a line that does not begin with ``#`` comes last, if
                there is one.

        Raises:
            InputError: they have not the columns that are wanted.
        """
        told = [(number, line) for number, line in lines if not line.startswith("#")]
        if not told:  # all tokens begin with it: those between tabs are surer, and those without a space after it
            told = [(number, line) for number, line in lines if not _COMMENT.match(line) and len(line.split()) > 1]
            told.sort(key=lambda numbered: ("\t" not in numbered[1], numbered[1].startswith("# ")))
        if not told:
            return
        number, line = told[0]
        self.separator = "\t" if self.is_conllu or "\t" in line else None
        fields = self._fields(line)
        self.width, self.first_line = len(CONLLU) if self.is_conllu else len(fields), number
        names = CONLLU if self.is_conllu else fields if self.is_named else ()
        self.places = [self._place(column, names, number) for column in self.wanted.values()]
        if len(set(self.places)) < len(self.places):
            expected = "expected a column of tokens and one of tags, between spaces or tabs"
            got = f"column {self.places[0] + 1} of {self.width} for both"
            raise InputError(f"{self.name}, line {number}: {expected}, got {got}")
        if self.is_named:
            self.header = number
        elif not self.is_conllu:
            for place, text in (lines[0], told[0]):  # as a comment of its own, or after others
                names = self._fields(text.lstrip("#"))
                if len(names) == self.width and is_header(names):
                    self.header = place

    def is_comment(self, line: str) -> bool:
        """Whether a line before a sentence is about it, such as ``# text = …``; a token may begin with ``#`` too."""
        if not line.startswith("#"):
            return False
        if self.is_conllu or len(self._fields(line)) != self.width:
            return True
        return self.separator is None and ("\t" in line or _COMMENT.match(line) is not None)

    def values(self, line: str, number: int) -> list[str] | None:
        """Return the token of a line and, if wanted, its tag; ``None`` if it holds none."""
        if number == self.header:
            return None
        fields = self._fields(line)
        if len(fields) != self.width:
            as_first = "" if self.is_conllu else f" as on line {self.first_line}"
            raise InputError(f"{self.name}, line {number}: expected {self._columns()}{as_first}, got {len(fields)}")
        if self.is_conllu and not _WORD_ID.fullmatch(fields[0]):
            if _OTHER_ID.fullmatch(fields[0]):
                return None
            raise InputError(
                f"{self.name}, line {number}: expected an ID such as 3, 3-4 or 3.1, got {shown(fields[0])}"
            )
        values = [fields[place].strip(" ") or fields[place] for place in self.places]
        for role, value, place in zip(self.wanted, values, self.places, strict=True):
            if not value or (self.is_conllu and value == "_" and self.wanted[role] in ("UPOS", "XPOS")):
                got = "_" if value else "an empty field"
                raise InputError(f"{self.name}, line {number}, column {place + 1}: expected a {role}, got {got}")
        return values

    def _place(self, column: str, header: tuple[str, ...] | list[str], number: int) -> int:
        if column in header:
            return header.index(column)
        if not _NUMBER.fullmatch(column):
            raise no_such_column(f"{self.name}, line {number}", "column", column, header)
        place = int(column) - 1 if int(column) > 0 else self.width + int(column)
        if not 0 <= place < self.width:
            raise InputError(f"{self.name}, line {number}: expected a column {column}, got {self._columns()}")
        return place

    def _fields(self, line: str) -> list[str]:
        return line.split("\t") if self.separator else re.split("[ \t]+", line.strip(" \t"))

    def _columns(self) -> str:
        return f"{self.width} column{'s' * (self.width != 1)}"
