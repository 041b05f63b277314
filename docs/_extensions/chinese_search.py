"""Chinese search without a dictionary: characters and pairs of neighbours, in the index and in what a reader types.

Sphinx's own cuts the pages into words, by a package of 19 MB, but not what is searched for: half of the words that stand
on a page are then not found. By pairs whatever stands on a page is found.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import languages
from sphinx.search.zh import SearchChinese

__all__ = ["setup"]

HAN = "\u3400-\u9fff"


class Pairs(SearchChinese):
    """Chinese by pairs of characters, the rest by words."""

    js_splitter_code = (
        "var splitQuery = (query) => [...query.matchAll(/[%s]+|[A-Za-z0-9_]+/g)].flatMap(([run]) =>"
        " /[%s]/.test(run) && run.length > 1 ? [...run].slice(1).map((_, i) => run.slice(i, i + 2)) : [run]);"
        % (HAN, HAN)
    )

    def split(self, input: str) -> list[str]:
        words = self.latin1_letters.findall(input)
        self.latin_terms.update(words)
        for run in re.findall(f"[{HAN}]+", input):
            words += [*run, *(run[i : i + 2] for i in range(len(run) - 1))]
        return words

    def word_filter(self, stemmed_word: str) -> bool:
        return len(stemmed_word) > 1 or stemmed_word >= HAN[0]


def setup(app: Sphinx) -> dict[str, Any]:
    languages["zh"] = Pairs
    return {"parallel_read_safe": True, "parallel_write_safe": True}
