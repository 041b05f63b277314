"""A model folder holds the old model or the new one, whenever its writer is killed."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from elman.runtime._classifiers.text import TextClassifier
from elman.runtime._model_folder import claim_folder, read_model, write_model
from tests.runtime.marked_models import mark_of, marked
from tests.runtime.refusals import refusal

START = """
import os, shutil, signal, sys
from pathlib import Path
from elman.runtime._model_folder import write_model
from tests.runtime.marked_models import marked
folder = Path(sys.argv[1])
"""

# What a process does to files is announced to audit hooks before it is done. For every step there is a copy of the
# folder, and a process that is killed before that step of writing to it.
KILLED_AT_EACH_STEP = """
def killed_at(step):
    def hook(event, arguments, steps=iter(range(step))):
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
    return hook

model, step, status = marked(1), 0, None
while status != 0:
    copy = shutil.copytree(folder, folder.with_name(f"{step}"))
    child = os.fork()
    if not child:
        sys.addaudithook(killed_at(step))
        write_model(Path(copy), model)
        os._exit(0)
    status, step = os.waitpid(child, 0)[1], step + 1
"""

KILLED_AT_SOME_MOMENT = """
models = [marked(0), marked(1)]
print("ready", flush=True)
while True:
    for model in models:
        write_model(folder, model)
"""


def writer(program, folder):
    command = [sys.executable, "-c", START + program, str(folder)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def killed_at_each_step(folder):
    with writer(KILLED_AT_EACH_STEP, folder) as process:
        assert process.wait() == 0
    copies = sorted(folder.parent.glob("[0-9]*"), key=lambda path: int(path.name))
    assert len(copies) > 15
    return copies


def test_at_any_step_of_overwriting(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write_model(folder, marked(0))
    (folder / "notes.txt").write_text("mine")
    names = {path.name for path in folder.iterdir()}
    marks = []
    for copy in killed_at_each_step(folder):
        marks.append(mark_of(copy))
        claim_folder(copy, TextClassifier, overwrite=True)
        write_model(copy, marked(2))
        assert mark_of(copy) == 2
        assert {path.name for path in copy.iterdir()} == names
        assert (copy / "notes.txt").read_text() == "mine"
    assert marks == sorted(marks)
    assert marks.count(0) > 5 < marks.count(1)


def test_at_any_step_of_writing_the_first_model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    written = 0
    for copy in killed_at_each_step(folder):
        if (copy / "config.json").exists() or (copy / ".elman-complete").exists():
            assert mark_of(copy) == 1
            assert "holds a model already" in refusal(claim_folder, copy, TextClassifier, overwrite=False)
            written += 1
        else:
            assert "expected a model folder, got a folder without config.json" in refusal(read_model, copy)
            assert not written
        claim_folder(copy, TextClassifier, overwrite=bool(written))
        write_model(copy, marked(2))
        assert mark_of(copy) == 2
    assert written > 5


@pytest.mark.parametrize("attempt", range(10))
def test_at_some_moment(tmp_path, attempt):
    write_model(tmp_path, marked(0))
    (tmp_path / "notes.txt").write_text("mine")
    with writer(KILLED_AT_SOME_MOMENT, tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01 + 0.003 * attempt)
        process.kill()
    assert mark_of(tmp_path) in (0, 1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
