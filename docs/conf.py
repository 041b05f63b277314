"""The site, a build for each language: ``page.md`` is English, ``page.zh.md`` its Chinese counterpart."""

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.locale import _ as translated

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

chinese = tags.has("zh")  # type: ignore[name-defined]  # noqa: F821  (Sphinx defines it)

project = "elman"
author = "The elman authors"
version = release = installed_version("elman")
language = "zh_CN" if chinese else "en"
highlight_language = "text"  # a block that names no language is what a shell shows
smartquotes = False  # -- is no dash in the name of an option
toc_object_entries_show_parents = "hide"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "commands", "diagrams", "mathml"]
extensions += ["chinese_search" if chinese else "english_search"]
# Both languages have the same names of pages, so that each finds its counterpart.
source_suffix = {".zh.md" if chinese else ".md": "markdown"}
include_patterns, exclude_patterns = (["**.zh.md"], []) if chinese else (["**.md"], ["**.zh.md"])
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures would hide what the text says of shapes
napoleon_custom_sections = [("Inputs", "params_style"), ("Outputs", "params_style")]
napoleon_use_rtype = False
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = "elman"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
html_context = {
    "counterpart": "../" if chinese else "zh/"
}  # where the other language's pages lie from the root of ours
html_sidebars = {
    "**": ["sidebar/brand.html", "sidebar/search.html", "language.html"]
    + [f"sidebar/{part}.html" for part in ("scroll-start", "navigation", "scroll-end")]
}


UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|µs|ns)\b)")  # the space before it


def for_the_site(app: Sphinx, page: str, source: list[str]) -> None:
    """What a page has for readers of the repository becomes what the site has instead."""
    text = re.sub(r"^\[(English|简体中文)\]\([^)]*\)\n", "", source[0], flags=re.MULTILINE)
    source[0] = re.sub(r"\]\((\.\./[^)#]*\.md)(#[^)]*)?\)", r"](path:\1)", text)  # a file, not a page of the site


def set_well(app: Sphinx, document: nodes.document) -> None:
    """Dashes where Sphinx has two hyphens, no space where a line of Chinese ends, no break before a table's unit."""
    for literal in document.findall(nodes.literal):
        if literal.astext().startswith("--") and len(literal.astext()) < 30:
            literal["classes"].append("whole")  # else a line ends with the hyphens of an option
    for entry in document.findall(nodes.entry):
        for text in list(entry.findall(nodes.Text)):
            if UNIT.search(text):
                text.parent.replace(text, nodes.Text(UNIT.sub("\u00a0", text)))
    for text in list(document.findall(nodes.Text)):
        if text.startswith(" -- "):
            text.parent.replace(text, nodes.Text(text.replace(" -- ", " – ", 1)))
        elif text == "\n":
            around = text.parent.children
            here = next(place for place, node in enumerate(around) if node is text)
            before, after = ("".join(node.astext() for node in part) for part in (around[:here], around[here + 1 :]))
            if before[-1:] >= "\u3000" and after[:1] >= "\u3000":
                del text.parent[here]


def returned(self: GoogleDocstring, preprocess_types: bool = False) -> list[tuple[str, str, list[str]]]:
    """What a function returns is prose; what stands before its first colon is no type."""
    return [("", "", self._dedent(self._consume_to_next_section()))]


GoogleDocstring._consume_returns_section = returned  # type: ignore[method-assign]

THEME_IN_CHINESE = {"Next": "下一页", "Previous": "上一页", "Home": "首页", "On this page": "本页内容"}
THEME_IN_CHINESE |= {"Back to top": "回到顶部", "Made with ": "主题："}


def say_in_chinese(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """The theme's own words, of which it has no Chinese; the others are Sphinx's, which has."""
    context["_"] = context["gettext"] = lambda words: THEME_IN_CHINESE.get(words) or translated(words)


def is_another_librarys(app: Sphinx, kind: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """What estimators inherit of scikit-learn has its documentation there."""
    return True if (getattr(member, "__module__", None) or "").startswith("sklearn.") else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", for_the_site)
    app.connect("doctree-read", set_well)
    app.connect("autodoc-skip-member", is_another_librarys)
    if chinese:
        app.connect("html-page-context", say_in_chinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
