"""Write ``src/elman/runtime/_words/table.py`` anew: ``pip install regex``, then ``python tools/word_breaks.py``.

The package regex holds Unicode's properties of its newest version; a model made before that version may then see a
character that was assigned meanwhile otherwise than in training, and no other one.
"""

import sys
from itertools import groupby
from pathlib import Path
from textwrap import fill

import regex

CLASSES = {
    "L": "ALetter",
    "H": "Hebrew_Letter",
    "K": "Katakana",
    "N": "Numeric",
    "U": "ExtendNumLet",
    "E": "Extend",
    "Z": "ZWJ",
    "F": "Format",
    "R": "Regional_Indicator",
    "Q": "Single_Quote",
    "D": "Double_Quote",
    "M": "MidLetter",
    "P": "MidNumLet",
    "C": "MidNum",
}
HEAD = '''"""What UAX 29 says of each character: its Word_Break property, and whether it is a pictograph.

Written by tools/word_breaks.py from the package regex {version}, which has it from the Unicode Character Database
(Unicode License v3: UNICODE-LICENSE.txt beside this file).
"""

__all__ = ["RANGES"]

# {names}.
# Each class by its letter: first and last code of every range.
RANGES = {{
'''


def letters() -> list[str]:
    """Return the letter of each code point, "" for what Word_Break calls Other."""
    found = [""] * (sys.maxunicode + 1)
    for letter, name in CLASSES.items():
        for code in matching(rf"\p{{Word_Break={name}}}"):
            found[code] = letter
    for code in matching(r"\p{Extended_Pictographic}"):
        assert found[code] in ("", "L"), f"{code:x}: a pictograph that is {found[code]}"
        found[code] = "B" if found[code] else "X"
    return found


def matching(pattern: str) -> list[int]:
    compiled = regex.compile(pattern)
    return [code for code in range(sys.maxunicode + 1) if compiled.match(chr(code))]


def main() -> None:
    ranges: dict[str, list[str]] = {}
    for letter, codes in groupby(enumerate(letters()), key=lambda pair: pair[1]):
        if letter:
            held = [code for code, _ in codes]
            ends = dict.fromkeys((held[0], held[-1]))
            ranges.setdefault(letter, []).append("-".join(f"{code:x}" for code in ends))
    names = {**CLASSES, "X": "Extended_Pictographic", "B": "ALetter and Extended_Pictographic"}
    named = fill(", ".join(f"{letter} {name}" for letter, name in names.items()), 116).replace("\n", "\n# ")
    lines = [HEAD.format(version=regex.__version__, names=named)]
    for letter, of_letter in ranges.items():
        wrapped = fill(" ".join(of_letter), 106, break_on_hyphens=False).split("\n")
        lines.append(f'    "{letter}": ' + "\n    ".join(f'"{line} "' for line in wrapped) + ",\n")
    target = Path(__file__).parents[1] / "src/elman/runtime/_words/table.py"
    target.write_text("".join(lines) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
