"""Training over two processes, as torchrun starts them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

from tests.cli import small_run
from tests.cli.conftest import write_lines

torch_distributed = pytest.importorskip("torch.distributed")
if not torch_distributed.is_gloo_available():
    pytest.skip("this torch trains in one process only", allow_module_level=True)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
WORDS = ("train", "classify", "lines.csv", "--epochs", "40", "--hidden-size", "8", "--embedding-size", "8")
WORDS += ("--batch-size", "8", "--learning-rate", "0.01")
ROOT = Path(__file__).parents[2]


def start(*words, module="elman", folder=None):
    """Start a command in two processes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*TORCHRUN, "-m", module, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(process):
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return out


def kill_after_an_epoch(process, folder):
    record, end = Path(folder, "checkpoint", "checkpoint.json"), time.monotonic() + 100
    while not (record.exists() and json.loads(record.read_text())["progress"]["epochs"] >= 1):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.002)
    launcher = psutil.Process(process.pid)
    for each in [*launcher.children(recursive=True), launcher]:  # torchrun's children are in sessions of their own
        each.kill()
    process.communicate()
    return json.loads(record.read_text())["progress"]["epochs"]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What two processes said of the small run, then of a command, and the model that it made."""
    folder = tmp_path_factory.mktemp("together")
    write_lines(folder / "lines.csv")
    said = finish(start(*WORDS, "--out", "whole", module="tests.cli.small_run", folder=folder))
    small, _, said = said.partition("\n")
    return json.loads(small), said, folder / "whole"


def test_two_processes_take_the_steps_of_one(together, capsys):
    small_run.main()
    alone, together = json.loads(capsys.readouterr().out), together[0]
    for ours, theirs in zip(together["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together["losses"], alone["losses"], rtol=1e-5)
    assert alone["seen"] == {"process.0.carried.seen": [0, 1, 2, 3, 4, 5, 6] * 4}
    assert together["seen"] == {
        "process.0.carried.seen": [0, 2, 3, 4, 6] * 4,
        "process.1.carried.seen": [1, 3, 5] * 4,  # 3: a batch of one, where the loss here does not count
    }


def test_two_processes_train_as_well_as_one(elman, lines, together):
    _, said, whole = together
    assert said.count(" 1/40 ") == 1  # one of them speaks
    assert elman(*WORDS, "--out", "alone", "--threads", "1").code == 0
    of_two, of_one = (json.loads(elman("evaluate", model, lines, "--json").out) for model in (whole, "alone"))
    assert of_two["accuracy"] >= of_one["accuracy"] - 0.05


@pytest.mark.slow
def test_two_processes_go_on_when_killed(elman, lines):
    whole, stopped = start(*WORDS, "--out", "whole"), start(*WORDS, "--out", "stopped")
    assert kill_after_an_epoch(stopped, "stopped") < 40
    alone = elman(*WORDS, "--out", "stopped", "--resume", "--threads", "1")
    assert (alone.code, alone.err.splitlines()[-1]) == (
        2,
        "elman: stopped: --resume expects the run's own processes, 2, got 1",
    )
    resumed = start(*WORDS, "--out", "stopped", "--resume")
    finish(whole)
    assert "going on after epoch" in finish(resumed)
    weights, again = (load_file(f"{name}/model.safetensors") for name in ("whole", "stopped"))
    assert all((weights[name] == again[name]).all() for name in weights)
