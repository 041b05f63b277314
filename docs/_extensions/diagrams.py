"""Diagrams become part of the page, so that they take on its colours; as files they follow the reader's system."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["setup"]


def inline(app: Sphinx, document: nodes.document) -> None:
    for image in list(document.findall(nodes.image)):
        if image["uri"].endswith(".svg"):
            svg = (Path(app.srcdir) / image["uri"]).read_text(encoding="utf-8")
            label = nodes.unescape(image.get("alt", "")).replace('"', "&quot;")
            svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
            image.replace_self(nodes.raw("", f'<div class="wide">{svg}</div>', format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", inline, priority=100)  # before Sphinx collects the files of images
    return {"parallel_read_safe": True, "parallel_write_safe": True}
