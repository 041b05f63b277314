"""The site builds from the pages in both languages, and is whole without a network."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_site_builds_without_a_warning_and_asks_nothing_of_the_network(language: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--tag", language]
    done = subprocess.run([*command, ROOT / "docs", site], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert {page.removesuffix(".zh") for page in pages} <= {page.stem for page in site.glob("*.html")}
    for file in [*site.rglob("*.html"), *site.rglob("*.css")]:
        fetched = re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*https?://|url\([\"']?https?:|@import", file.read_text()
        )
        assert fetched == [], file
    prose = re.sub(r"<(code|pre)\b.*?</\1>", "", (site / "api.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert " -- " not in prose  # where a sentence's colon was taken for that of a type
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert {"zh": "隐藏", "en": "hidden"}[language] in terms
    assert "n-gram" in terms  # whole: of an n alone there would be hundreds


def test_the_command_reference_has_every_command_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(ROOT / "docs/_extensions")
    from commands import commands, describe  # type: ignore[import-not-found]

    from elman.cli._app import build_parser

    sections = {command.prog: "\n".join(describe(command)) for command in commands(build_parser())}
    assert {"elman train classify", "elman train forecast", "elman evaluate", "elman bench"} <= set(sections)
    assert "{option} --target COLUMN" in sections["elman train forecast"]
    assert "{option} --encoding NAME\nEncoding of the files (default: utf-8)" in sections["elman train classify"]
    for command in commands(build_parser()):
        for name in command._option_string_actions:
            assert name in sections[command.prog]
