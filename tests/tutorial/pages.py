"""The programs of the tutorial, the recipes and the page of neuroscience, what they print, and the pages that show it.

Run as a program this rewrites the outputs shown in the pages: ``python -m tests.tutorial.pages``.
"""

import contextlib
import io
import re
import runpy
import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples" / "tutorial").glob("[0-9]*.py"))
PAGES = [ROOT / "docs" / "tutorial.md", ROOT / "docs" / "tutorial.zh.md"]
RECIPES = [ROOT / "examples" / "recipes" / name for name in ("lengths.py", "initial_state.py")]
RECIPES_PAGES = [ROOT / "docs" / "recipes.md", ROOT / "docs" / "recipes.zh.md"]
DECISION = ROOT / "examples" / "recipes" / "perceptual_decision.py"
NEUROSCIENCE_PAGES = [ROOT / "docs" / "neuroscience.md", ROOT / "docs" / "neuroscience.zh.md"]

SHOWN = re.compile(r"(```console\n\$ python examples/\w+/(\S+)\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)
EXCERPT = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def output_of(program: Path, *arguments: str) -> str:
    """What ``python PROGRAM`` prints, in this process: importing PyTorch once is enough."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), patch.object(sys, "argv", [str(program), *arguments]):
        runpy.run_path(str(program), run_name="__main__")
    return printed.getvalue()


if __name__ == "__main__":
    outputs = {program.name: output_of(program) for program in (*PROGRAMS, *RECIPES, DECISION)}
    for page in (*PAGES, *RECIPES_PAGES, *NEUROSCIENCE_PAGES):
        text = page.read_text(encoding="utf-8")
        page.write_text(SHOWN.sub(lambda m: m[1] + outputs[m[2]] + m[4], text), encoding="utf-8")
