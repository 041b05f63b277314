"""The package as a user without PyTorch has it: installed into an environment of its own.

A slow test builds the engine anew.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.package.environments import PURELIB, ROOT, install, run, says

[VERSION] = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
# What runs each kind of model, and what keeps it; the slow test runs them all.
QUICK = ("rnn", "stream", "saving", "stored_models", "text_classifier", "sequence_classifier", "sequence_tagger")
QUICK += ("language_model", "forecaster")


@pytest.mark.timeout(300)
def test_the_base_install_is_numpy_and_safetensors_alone(python: Path, tmp_path: Path) -> None:
    program = "from importlib.metadata import distributions; print(*sorted(d.name for d in distributions()))"
    assert says(python, program, tmp_path).split() == ["elman", "numpy", "safetensors"]


def test_elman_and_its_engine_import_without_pytorch(python: Path, tmp_path: Path) -> None:
    program = "import elman, elman._engine, sys; print(elman.__version__, 'torch' in sys.modules)"
    assert says(python, program, tmp_path) == f"{VERSION} False"


def test_the_command_line_works(python: Path, tmp_path: Path) -> None:
    elman = python.with_name("elman")
    shown = run(elman, "--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "predict" in shown.stdout
    assert run(elman, "--version", cwd=tmp_path).stdout == f"elman {VERSION}\n"


def test_a_command_says_which_extra_it_needs(python: Path, tmp_path: Path) -> None:
    finished = run(python.with_name("elman"), "train", "classify", "x.csv", "--out", "m", cwd=tmp_path)
    assert finished.returncode == 1
    assert finished.stderr == f"elman: train needs torch: pip install '{ROOT}[train]'\n"


def test_the_licences_of_what_others_made_come_along(python: Path, tmp_path: Path) -> None:
    names = "sorted(file.name for file in files('elman') if 'licenses' in file.parts)"
    program = f"from importlib.metadata import files; print(*{names})"
    assert says(python, program, tmp_path) == "LICENSE UNICODE-LICENSE.txt nanobind.txt robin-map.txt"


def test_the_installed_package_is_small(python: Path, tmp_path: Path) -> None:
    program = "import elman; from pathlib import Path; print(Path(elman.__file__).parent)"
    files = [path for path in Path(says(python, program, tmp_path)).rglob("*") if path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 4_370_000  # 0.13 MB of kernels come on top


def assert_the_runtime_passes(python: Path, folder: Path, tests: Iterable[str]) -> None:
    """Run tests with pytest and hypothesis in an environment that sees the base install beside them."""
    assert run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder).returncode == 0
    tester = folder / "bin" / "python"
    tools = ("pytest", "pytest-timeout", "hypothesis")
    installed = run(sys.executable, "-m", "pip", "--python", tester, "install", "--quiet", *tools, cwd=folder)
    assert installed.returncode == 0, installed.stderr
    (Path(says(tester, PURELIB, folder)) / "base.pth").write_text(says(python, PURELIB, folder))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    program = "import elman; print(elman.__file__)"
    assert not Path(says(tester, program, folder)).is_relative_to(ROOT)
    options = ["-q", "-p", "no:cacheprovider", "-m", "not slow", "-W", "error"]
    finished = run(tester, "-m", "pytest", *options, *tests, cwd=folder)
    assert finished.returncode == 0, finished.stdout
    assert says(tester, "from importlib.util import find_spec; print(find_spec('torch'))", folder) == "None"


@pytest.mark.timeout(300)
def test_the_runtime_runs_every_kind_of_model_where_there_is_no_pytorch(python: Path, tmp_path: Path) -> None:
    assert_the_runtime_passes(python, tmp_path, [f"tests/runtime/test_{name}.py" for name in QUICK])


@pytest.mark.slow
def test_what_is_built_from_nothing_passes_all_tests_of_the_runtime(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    python = install(tmp_path / "bare", f"build-dir={tmp_path / 'build'}")
    assert_the_runtime_passes(python, tmp_path, ["tests/runtime"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model that a person has been given, and lines to predict."""
    shutil.copytree(ROOT / "tests/models/version_1", tmp_path / "model")
    (tmp_path / "lines.txt").write_text("学而时习之，不亦说乎？\n关关雎鸠\n", encoding="utf-8")
    return tmp_path


def test_commands_run_without_pytorch(python: Path, folder: Path) -> None:
    elman = python.with_name("elman")
    done = run(elman, "predict", "model", "lines.txt", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in said] == ["学而时习之，不亦说乎？", "关关雎鸠"]
    assert all(line["label"] in ("别", "论语", "诗经") for line in said)
    assert "embedding 4, 2 x 5 RNN units in two directions, 3 classes" in run(elman, "info", "model", cwd=folder).stdout


def test_spoiled_models_are_refused_in_one_line(python: Path, folder: Path) -> None:
    (folder / "model/model.safetensors").write_bytes(b"\x80\x04pickle")
    done = run(python.with_name("elman"), "predict", "model", "lines.txt", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("elman: model/model.safetensors: expected a safetensors file")


def test_importing_elman_imports_no_pytorch_where_it_is_installed() -> None:
    program = "import elman, elman._engine, sys; print('torch' in sys.modules)"
    assert says(Path(sys.executable), program, ROOT) == "False"


def test_public_names_are_listed_and_no_others() -> None:
    import elman

    parts = {
        elman: {"cells", "nn", "tasks"},
        elman.nn: {"init", "parametrizations"},
        elman.runtime: (),
        elman.tasks: (),
    }
    for module, besides in parts.items():
        assert set(dir(module)) == {*module.__all__, *besides}
        assert all(getattr(module, name) is not None for name in module.__all__)
        with pytest.raises(AttributeError, match="has no attribute 'frobnicate'"):
            module.frobnicate  # noqa: B018
