"""The page of ensembles: its excerpts run, and its program prints what it says."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples/recipes/ensemble.py"
PAGES = [ROOT / "docs/ensembles.md", ROOT / "docs/ensembles.zh.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_excerpts_run(page: Path) -> None:
    exec(
        "\n".join(re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)), {}
    )


@pytest.mark.slow
def test_its_program_prints_what_the_pages_say(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(PROGRAM), run_name="__main__")
    printed = capsys.readouterr().out

    def words(text: str) -> list[str]:
        return re.sub(r"\d+\.\d+", "0", text).split()

    assert "alone: True" in printed
    for page in PAGES:
        shown = page.read_text(encoding="utf-8").split("ensemble.py\n")[-1].split("```")[0]
        assert words(shown) == words(printed)
