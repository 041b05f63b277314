"""English search in which a word such as n-gram is one.

Sphinx's own cuts it into n and gram, finds every page that has an n in a name, and marks each n of them.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

__all__ = ["HYPHENATED", "parts", "setup"]

HYPHENATED = r"(?<!\w)[A-Za-z]-[A-Za-z]+"  # n-gram, t-test: a letter alone before the hyphen
SPLIT_QUERY = r"""
var splitQuery = (query) =>
  query.match(/(?<![\p{L}\p{N}_])[A-Za-z]-[A-Za-z]+|[\p{L}\p{N}_\p{Emoji_Presentation}]+/gu) || [];
"""


def parts(word: str) -> list[str]:
    """Return by what a word is found: itself, and what follows a letter and a hyphen."""
    return [word, word[2:]] if word[1:2] == "-" else [word]


class ByWords(SearchEnglish):
    js_splitter_code = SPLIT_QUERY

    def split(self, input: str) -> list[str]:
        return [part for word in re.findall(rf"{HYPHENATED}|\w+", input) for part in parts(word)]


def setup(app: Sphinx) -> dict[str, Any]:
    languages["en"] = ByWords
    return {"parallel_read_safe": True, "parallel_write_safe": True}
