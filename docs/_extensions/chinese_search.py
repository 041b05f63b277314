"""Chinese search without a dictionary: by characters and pairs of neighbours, in the pages and in what a reader types.

Sphinx's own needs a package of 19 MB to cut the pages into words, and does not cut what is typed: then a word such as
隐藏状态, two on the page, is not found. By pairs whatever stands on a page is found.
"""

import re
from typing import Any

from english_search import HYPHENATED, parts
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage, languages

__all__ = ["setup"]

# A run of Chinese characters, or a word of another script.
RUN = f"{HYPHENATED}|[\u3400-\u9fff]+|[^\\W\u3400-\u9fff]+"
SPLIT_QUERY = r"""
var splitQuery = (query) =>
  [...query.matchAll(
    /(?<![\p{L}\p{N}_])[A-Za-z]-[A-Za-z]+|[\u3400-\u9fff]+|[\p{L}\p{N}_]+?(?=[\u3400-\u9fff]|[^\p{L}\p{N}_]|$)/gu,
  )].flatMap(([run]) =>
    /^[\u3400-\u9fff]{2}/.test(run) ? [...run].slice(1).map((_, i) => run.slice(i, i + 2)) : [run]);
"""


class ByPairs(SearchLanguage):
    lang = "zh"
    language_name = "Chinese"
    js_splitter_code = SPLIT_QUERY

    def split(self, input: str) -> list[str]:
        words = []
        for run in re.findall(RUN, input):
            if run[0] < "\u3400":
                words += parts(run)
            else:
                words += [*run, *(run[i : i + 2] for i in range(len(run) - 1))]
        return words

    def stem(self, word: str) -> str:
        return word.lower()


def setup(app: Sphinx) -> dict[str, Any]:
    languages["zh"] = ByPairs
    return {"parallel_read_safe": True, "parallel_write_safe": True}
