"""Training over two processes, as torchrun starts them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

torch_distributed = pytest.importorskip("torch.distributed")
if not torch_distributed.is_gloo_available():
    pytest.skip("this torch trains in one process only", allow_module_level=True)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
WORDS = ("--hidden-size", "8", "--embedding-size", "8", "--batch-size", "8", "--learning-rate", "0.01")


def start(*words):
    """Start a command in two processes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [*TORCHRUN, "-m", "elman", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


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


def test_two_processes_train_as_well_as_one(elman, lines):
    words = ("train", "classify", lines, "--epochs", "40", *WORDS)
    said = finish(start(*words, "--out", "whole"))
    assert said.count(" 1/40 ") == 1  # one of them speaks
    assert elman(*words, "--out", "alone", "--threads", "1").code == 0
    together, alone = (json.loads(elman("evaluate", name, lines, "--json").out) for name in ("whole", "alone"))
    assert together["accuracy"] >= alone["accuracy"] - 0.05


@pytest.mark.slow
def test_two_processes_go_on_when_killed(elman, lines):
    words = ("train", "classify", lines, "--epochs", "40", *WORDS)
    whole, stopped = start(*words, "--out", "whole"), start(*words, "--out", "stopped")
    assert kill_after_an_epoch(stopped, "stopped") < 40
    alone = elman(*words, "--out", "stopped", "--resume", "--threads", "1")
    assert (alone.code, alone.err.splitlines()[-1]) == (
        2,
        "elman: stopped: --resume expects the run's own processes, 2, got 1",
    )
    resumed = start(*words, "--out", "stopped", "--resume")
    finish(whole)
    assert "going on after epoch" in finish(resumed)
    weights, again = (load_file(f"{name}/model.safetensors") for name in ("whole", "stopped"))
    assert all((weights[name] == again[name]).all() for name in weights)
