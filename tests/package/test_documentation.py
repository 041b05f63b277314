"""What the documentation says is so."""

import doctest
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import elman
from elman.runtime._classifiers.text_settings import Text, TextSettings, TextSizes
from elman.runtime._config import Origin
from elman.runtime._model_folder import Model, write_model
from elman.runtime._vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("README*.md")), ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
PAGES += [ROOT / "examples/cpp/README.md"]
ENGLISH = [page for page in sorted(DOCS.glob("*.md")) if not page.name.endswith(".zh.md")]
REFERENCES = [DOCS / "api.md", DOCS / "api.zh.md"]
PUBLIC_MODULES = [
    "elman",
    "elman.cells",
    "elman.cli",
    "elman.nn",
    "elman.nn.init",
    "elman.nn.parametrizations",
    "elman.ops",
    "elman.reference",
    "elman.runtime",
    "elman.tasks",
]


# Every module with an example.
MODULES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "src/elman").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
    assert results.attempted > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    missing = [link for link, _ in links(page) if link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_lead_to_one(page: Path) -> None:
    missing = [
        f"{link}#{heading}"
        for link, heading in links(page)
        if heading and heading not in headings(page.parent / link if link else page)
    ]
    assert missing == []


def links(page: Path) -> list[tuple[str, str]]:
    """The links of a page that stay in this project: a file, or none for the page itself, and a heading or none."""
    return re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    """What a page's headings are linked to by."""
    found = re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found]


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.name)
def test_every_page_has_its_chinese_counterpart_and_each_stays_in_its_language(page: Path) -> None:
    chinese = page.with_name(f"{page.stem}.zh.md")
    assert chinese.exists()
    switches = {page: chinese.name, chinese: page.name}
    for one, switch in switches.items():
        pages = {link for link, _ in links(one) if link.endswith(".md") and "/" not in link} - {switch}
        assert {link for link in pages if link.endswith(".zh.md") == (one == page)} == set()


@pytest.mark.parametrize("page", [ROOT / "README.md", *ENGLISH], ids=lambda page: page.name)
def test_a_page_and_its_counterpart_show_the_same_programs_outputs_and_pictures(page: Path) -> None:
    chinese = page.with_name(f"{page.stem}.zh.md")
    for language in ("python", "console", "diff", ""):
        assert without_comments(blocks(page, language)) == without_comments(blocks(chinese, language))
    assert skeleton(page) == skeleton(chinese)


def without_comments(programs: list[str]) -> list[str]:
    return [re.sub("  # .*", "", program) for program in programs]


def skeleton(page: Path) -> list[str]:
    """How deep a page's headings are, how many cells its tables' rows have, and which pictures it shows, in order."""
    found = re.findall(r"^#+ |^\|.*\|$|!\[[^]]*\]\([^)]*\)", without_blocks(page), re.MULTILINE)
    return [part.rpartition("(")[2].replace(".zh.", ".") if part[0] != "|" else "|" * part.count("|") for part in found]


def test_the_figures_of_the_results_are_the_same_in_both_languages() -> None:
    english, chinese = (
        re.findall(r"^\| \w+ \| .*\d.*$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE)
        for name in ("results.md", "results.zh.md")
    )
    assert english == chinese != []


@pytest.mark.parametrize("page", REFERENCES, ids=lambda page: page.name)
def test_every_public_name_stands_in_the_reference(page: Path) -> None:
    described = re.findall(r"^\.\. (?:py:)?(?:auto)?\w+:: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    public = [f"{module}.{name}" for module in PUBLIC_MODULES for name in importlib.import_module(module).__all__]
    again = {"elman.runtime", "elman.tasks.InputError"}  # a module of its own, and a name that elman has too
    assert sorted(described) == sorted({*public} - again)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_meant_to_be_bold_is(page: Path) -> None:
    """A closing ** after a Chinese full stop and before a character is no markup."""
    markdown = pytest.importorskip("markdown_it").MarkdownIt().enable("table")
    inline = [token for token in markdown.parse(page.read_text(encoding="utf-8")) if token.type == "inline"]
    texts = [child.content for token in inline for child in token.children if child.type == "text"]
    assert [text for text in texts if "**" in text] == []


def test_the_diagrams_are_those_that_their_program_draws() -> None:
    program = runpy.run_path(str(DOCS / "diagrams.py"))
    for path, drawing in program["files"]().items():
        assert path.read_text(encoding="utf-8") == drawing, "python docs/diagrams.py"


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page."""
    found = re.findall(r"^```(\S*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [body for tag, body in found if tag == language]


def without_blocks(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def put_streaming_classifier(folder: Path) -> None:
    """Write a text classifier that can stream, with random weights."""
    generator = np.random.default_rng(0)
    shapes = {"embedding.weight": (8, 4), "output.weight": (2, 15), "output.bias": (2,)}
    shapes |= {"rnn.weight_ih_l0": (5, 4), "rnn.weight_hh_l0": (5, 5), "rnn.bias_ih_l0": (5,), "rnn.bias_hh_l0": (5,)}
    tensors = {name: generator.standard_normal(shape).astype("f") for name, shape in shapes.items()}
    network = TextSizes(embedding_size=4, hidden_size=5, layers=1, bidirectional=False)
    settings = TextSettings(["a", "b"], Text("char", 99, {}), network)
    model = elman.runtime.TextClassifier(settings, tensors, {"vocabulary": Vocabulary("petr")})
    folder.mkdir(parents=True)
    content = type(model), model.settings, model.tensors(), model.vocabularies, Origin({}, {}, {}), {}, []
    write_model(folder, Model(*content))


def test_the_programs_of_the_first_five_minutes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put_streaming_classifier(Path("names"))
    for program in blocks(DOCS / "quickstart.md", "python"):
        exec(program, {})


def test_the_programs_of_the_runtimes_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    put_streaming_classifier(Path("demo/surnames"))
    w_ih, w_hh = np.ones((6, 4), "f"), np.ones((6, 6), "f")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("RNN", ["X", "W", "R"], ["Y"], hidden_size=6)],
        "graph",
        [helper.make_tensor_value_info("X", kind, ["steps", "batch", 4])],
        [helper.make_tensor_value_info("Y", kind, ["steps", 1, "batch", 6])],
        [onnx.numpy_helper.from_array(w_ih[None], "W"), onnx.numpy_helper.from_array(w_hh[None], "R")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "model.onnx")
    names = {"w_ih": w_ih, "w_hh": w_hh}
    for program in blocks(ROOT / "docs/runtime.md", "python"):
        exec(program, names)


def test_the_programs_of_the_layers_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for program in blocks(DOCS / "layer.md", "python"):
        exec(program, names)
    assert capsys.readouterr().out.splitlines()[0] == "torch.Size([20, 3, 32]) False"


@pytest.mark.parametrize("page", [DOCS / "cells.md", DOCS / "library.md"], ids=lambda page: page.name)
def test_the_programs_of_the_pages_of_cells_print_what_they_show(
    page: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for program in blocks(page, "python"):
        exec(program, names)
    assert capsys.readouterr().out == "".join(blocks(page, "text"))


def test_the_stubs_of_the_engine_are_its_own(tmp_path: Path) -> None:
    written = tmp_path / "_engine.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "elman._engine", "-o", str(written)]
    subprocess.run(command, check=True, cwd=ROOT)
    assert written.read_text() == (ROOT / "src/elman/_engine.pyi").read_text(), "make stubs"
