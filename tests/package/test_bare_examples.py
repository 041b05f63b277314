"""What the pages show runs where there is NumPy, safetensors and nothing else; what needs more says how to get it."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from tests.package.environments import ROOT, run
from tests.package.test_documentation import blocks, put_streaming_classifier

pytestmark = pytest.mark.timeout(300)  # whichever test is first waits for the environment

READMES, RUNTIME = sorted(ROOT.glob("README*.md")), [ROOT / "docs/runtime.md", ROOT / "docs/runtime.zh.md"]
MODELS = ROOT / "tests/models"

# What elman train makes of a task, or of a file: a model that lies in tests/models, and data for it.
KINDS = {"classify": "version_1", ".ts": "sequence_classifier_1", "tag": "sequence_tagger_1"}
KINDS |= {"language": "language_model_1", "forecast": "forecaster_1"}
SERIES = "value\n" + "\n".join(str(10 + step % 12) for step in range(60))
DATA = {
    "version_1": "line,book\n关关雎鸠,诗经\n子曰,论语\n床前明月光,唐诗\n",
    "sequence_classifier_1": "@classLabel true up down\n@data\n1,2,3:2,3,4:up\n3,2,1:2,1,0:down\n",
    "sequence_tagger_1": "I O\nsee O\nNew B-city\nYork I-city\n",
    "language_model_1": "床前明月光，疑是地上霜。\n",
    "forecaster_1": SERIES,
}
SUFFIXES = {"sequence_classifier_1": ".ts", "sequence_tagger_1": ".conll", "language_model_1": ".txt"}

# Runs commands and programs in one process, and says what came of each.
RUNNER = """
import contextlib, io, json, sys, warnings
from elman.cli import main
warnings.simplefilter("error")
told = json.loads(sys.argv[1])
said = []
for words in told["commands"]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    said.append([code, out.getvalue(), err.getvalue()])
names = {}
for program in told["programs"]:
    try:
        exec(program, names)
        said.append([0, "", ""])
    except ImportError as error:
        said.append([1, "", f"{type(error).__name__}: {error}"])
assert not {"torch", "sklearn", "rich", "matplotlib", "onnx"} & sys.modules.keys()
print(json.dumps(said))
"""


def outcomes(python: Path, folder: Path, commands: list[list[str]], programs: list[str]) -> tuple[list[Any], list[Any]]:
    """What came of each command and of each program: exit code, standard output, standard error."""
    told = json.dumps({"commands": commands, "programs": programs})
    done = run(python, "-c", RUNNER, told, cwd=folder)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said[: len(commands)], said[len(commands) :]


def commands_of(page: Path) -> list[list[str]]:
    """The commands that a page shows, in words."""
    shown = [block for tag in ("", "console") for block in blocks(page, tag)]
    lines = [line.removeprefix("$ ") for block in shown for line in block.split("\n")]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("elman ")]


def hint(extra: str) -> str:
    """How an extra is installed beside the bare installation of these tests, as a pattern."""
    return re.escape(f"pip install {shlex.quote(f'{ROOT}[{extra}]')}")


def needed(words: list[str]) -> str:
    """The extra that a command needs, if any."""
    return {"train": "train", "bench": "bench", "export": "onnx"}.get(words[0]) or ("plot" if "--plot" in words else "")


def model_of(words: list[str]) -> tuple[str, str]:
    """The folder that a command of elman train writes, and which model stands for what it makes."""
    kind = KINDS.get(Path(words[2]).suffix) or KINDS[words[1]]
    return words[words.index("--out") + 1], kind


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_the_commands_of_the_readme_run_or_name_the_extra_that_they_need(
    python: Path, tmp_path: Path, page: Path
) -> None:
    commands = commands_of(page)
    made = dict(model_of(words) for words in commands if words[0] == "train" and "--config" not in words)
    assert set(made.values()) == set(KINDS.values())
    for folder, kind in made.items():
        shutil.copytree(MODELS / kind, tmp_path / folder)
    for words in commands:
        if words[0] in ("evaluate", "predict"):
            (tmp_path / words[2]).write_text(DATA[made[words[1]]], encoding="utf-8")
    said, _ = outcomes(python, tmp_path, commands, [])
    for words, (code, out, err) in zip(commands, said, strict=True):
        if extra := needed(words):
            assert (code, out) == (1, ""), words
            assert re.fullmatch(rf"elman: \S+( ONNX)? needs \w+: {hint(extra)}\n", err), words
        else:
            assert code == 0, (words, err)
            assert out or "--out" in words, words


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_the_programs_of_the_readme_run_that_are_for_no_pytorch(python: Path, tmp_path: Path, page: Path) -> None:
    put_streaming_classifier(tmp_path / "demo/surnames")
    given = ["import numpy", "x = numpy.ones((7, 2, 4), 'f')", "x_t = numpy.ones(4, 'f')", "import elman"]
    given += ["rnn = elman.runtime.RNN({'weight_ih_l0': x[:6, 0], 'weight_hh_l0': numpy.ones((6, 6), 'f')})"]
    others = ("import torch", "elman.nn", "elman.tasks")
    programs = [program for program in blocks(page, "python") if not any(other in program for other in others)]
    _, said = outcomes(python, tmp_path, [], ["\n".join(given), *programs])
    assert said == [[0, "", ""]] * (1 + len(programs))
    assert programs


def test_every_kind_of_model_is_of_use_and_nothing_more_is_imported_where_it_is_there(
    python: Path, tmp_path: Path
) -> None:
    commands = []
    for kind, content in DATA.items():
        model, file = str(MODELS / kind), f"{kind}{SUFFIXES.get(kind, '.csv')}"
        (tmp_path / file).write_text(content, encoding="utf-8")
        commands += [["evaluate", model, file, *more] for more in ((), ("--json",))]
        commands += [["predict", model, file], ["info", model]]
    commands += [["forecast", str(MODELS / "forecaster_1")], ["generate", str(MODELS / "language_model_1")]]
    warned = {
        "labels the model has never seen, counted as wrong: 唐诗\n",
        "the intervals rest on only 9 forecasts of the held-out part, and are rough\n",
    }
    for interpreter in (python, Path(sys.executable)):
        said, _ = outcomes(interpreter, tmp_path, commands, [])
        for words, (code, out, err) in zip(commands, said, strict=True):
            assert (code, {*err.splitlines(keepends=True)} - warned) == (0, set()), words
            assert out, words


@pytest.mark.parametrize("page", RUNTIME, ids=lambda page: page.name)
def test_the_page_of_the_runtime_runs(python: Path, tmp_path: Path, page: Path) -> None:
    put_streaming_classifier(tmp_path / "demo/surnames")
    (tmp_path / "my_names.txt").write_text("Petrović\nNovotná\n", encoding="utf-8")
    (tmp_path / "names_test.csv").write_text("text,label\nPetrović,a\nNovotná,b\n", encoding="utf-8")
    parameters = {"weight_ih_l0": np.ones((6, 4), "f"), "weight_hh_l0": np.ones((6, 6), "f")}
    elman.save(parameters, tmp_path / "rnn.safetensors")  # as the programs that need PyTorch do
    parameters = {"weight_ih_l0": np.ones((24, 4), "f"), "weight_hh_l0": np.ones((24, 6), "f")}
    elman.save(parameters, tmp_path / "lstm.safetensors")
    layer = elman.nn.LSTM(4, [6, 6, 8], learn_initial_state=True, residual=True)
    elman.save(layer, tmp_path / "policy.safetensors")
    programs = ["import numpy; w_ih, w_hh = numpy.ones((6, 4), 'f'), numpy.ones((6, 6), 'f')"]
    programs += [program for program in blocks(page, "python") if not re.search("import torch|elman.nn", program)]
    commands = commands_of(page)
    of_commands, of_programs = outcomes(python, tmp_path, commands, programs)
    for words, (code, _, err) in zip(commands, of_commands, strict=True):
        expected = rf"elman: writing ONNX needs onnx: {hint('onnx')}\n" if needed(words) else ""
        assert re.fullmatch(expected, err), words
        assert code == bool(expected)
    assert {words[0] for words in commands} >= {"predict", "evaluate", "info", "export"}
    for program, (code, _, err) in zip(programs, of_programs, strict=True):
        needs_onnx = "from_onnx" in program
        expected = rf"ModuleNotFoundError: reading ONNX needs onnx: {hint('onnx')}" if needs_onnx else ""
        assert re.fullmatch(expected, err), program
        assert code == needs_onnx
    assert sum("from_onnx" in program for program in programs) == 1 < len(programs) - 3


def test_the_programs_that_the_page_of_the_runtime_names_run(python: Path, tmp_path: Path) -> None:
    put_streaming_classifier(tmp_path / "surnames")
    streamed = run(python, ROOT / "examples/stream.py", "surnames", "Petrović", cwd=tmp_path)
    assert (streamed.returncode, streamed.stderr, len(streamed.stdout.splitlines())) == (0, "", len("Petrović"))
    spoiled = run(python, ROOT / "examples/spoil.py", MODELS / "version_1", cwd=tmp_path)
    assert (spoiled.returncode, spoiled.stderr, spoiled.stdout.count(": expected ")) == (0, "", 10)


# Of each import, what is said where its package is absent.
IMPORTS = {
    "from elman.nn import RNN": ("elman.nn", "torch", "torch"),
    "import elman; elman.nn": ("elman.nn", "torch", "torch"),
    "import elman.reference": ("elman.reference", "torch", "torch"),
    "import elman.ops": ("elman.ops", "torch", "torch"),
    "from elman.tasks import TextClassifier": ("elman.tasks", "scikit-learn", "train"),
    "import elman; elman.tasks.Forecaster": ("elman.tasks", "scikit-learn", "train"),
    "from elman.tasks.language_model import LanguageModel": ("elman.tasks", "scikit-learn", "train"),
    "import elman.tasks.sequence_tagger": ("elman.tasks", "scikit-learn", "train"),
    "import elman; elman.runtime.from_onnx('m')": ("reading ONNX", "onnx", "onnx"),
}


def test_an_import_says_how_to_install_what_it_needs(python: Path, tmp_path: Path) -> None:
    _, said = outcomes(python, tmp_path, [], list(IMPORTS))
    for (user, package, extra), (code, _, err) in zip(IMPORTS.values(), said, strict=True):
        assert code == 1
        assert re.fullmatch(rf"ModuleNotFoundError: {re.escape(user)} needs {package}: {hint(extra)}", err)


def test_what_reads_files_needs_nothing(python: Path, tmp_path: Path) -> None:
    _, said = outcomes(python, tmp_path, [], ["from elman.tasks import InputError; import elman.tasks, elman.bench"])
    assert said == [[0, "", ""]]
