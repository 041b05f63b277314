import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from elman.cli import main
from tests.tasks.lines import LABELS, TEXTS

MODELS = Path(__file__).parents[1] / "models"
QUICK = ("--hidden-size", "8", "--embedding-size", "8", "--epochs", "2", "--threads", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Each test in an empty folder of its own, with one thread."""
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def elman(capsys, monkeypatch):
    """Run a command in this process; its exit code, what it printed, what it said."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["elman", *map(str, words)])
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run


def write_lines(path, rows=None, header=("text", "label"), dialect="excel"):
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, dialect).writerows([header, *(rows or zip(TEXTS, LABELS, strict=True))])
    return path


@pytest.fixture
def lines(tmp_path):
    return write_lines(tmp_path / "lines.csv").name


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data = write_lines(folder / "lines.csv")
    words = ["--hidden-size", "16", "--embedding-size", "16", "--epochs", "25", "--threads", "1"]
    assert main(["train", "classify", str(data), "--out", str(folder / "model"), *words]) == 0
    return folder / "model"


@pytest.fixture
def model(_trained, tmp_path):
    """A folder ``model`` that has learned well, here."""
    import shutil

    shutil.copytree(_trained, tmp_path / "model")
    return "model"
