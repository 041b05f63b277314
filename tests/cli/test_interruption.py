"""A run stopped by Ctrl-C or kill -9 and resumed ends as one that nobody stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = ["--hidden-size", "8", "--embedding-size", "8", "--epochs", "40", "--batch-size", "4"]
WORDS += ["--cell", "lstm", "--validation", "0", "--threads", "1"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    from elman.cli import main
    from tests.cli.conftest import write_lines

    folder = tmp_path_factory.mktemp("whole")
    data = write_lines(folder / "lines.csv")
    assert main(["train", "classify", str(data), "--out", str(folder / "m"), *WORDS]) == 0
    return folder / "m"


# The command in a process that is sent a signal in the midst of its third epoch. Who is started in the background of a
# shell, as tests may be, is made to ignore Ctrl-C, and Python then leaves it so.
STOPPED = """
import os, signal, sys, threading
from elman.cli import main
from elman.tasks._checkpoints import CheckpointStore

signal.signal(signal.SIGINT, signal.default_int_handler)
save, sent = CheckpointStore.save, int(sys.argv.pop(1))

def save_and_be_stopped(self, progress, tensors):
    save(self, progress, tensors)
    if progress.epochs == 2:
        threading.Timer(0.01, os.kill, (os.getpid(), sent)).start()

CheckpointStore.save = save_and_be_stopped
sys.exit(main())
"""


def stop_after_two_epochs(words, sent):
    command = [sys.executable, "-c", STOPPED, str(int(sent)), *words]
    stopped = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert stopped.returncode != 0, stopped.stderr
    kept = json.loads(Path("m/checkpoint/checkpoint.json").read_text())["progress"]["epochs"]
    assert 2 <= kept < 40, stopped.stderr
    return stopped.returncode, stopped.stderr


def test_a_run_stopped_before_anything_was_kept_offers_nothing_to_go_on_with(elman, lines, monkeypatch):
    def stop(self, text):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("elman.tasks._screen.Lines.notice", stop)
        done = elman("train", "classify", lines, "--out", "m", *WORDS)
    assert (done.code, done.err.splitlines()[1:]) == (130, ["elman: interrupted"])
    assert elman("train", "classify", lines, "--out", "m", *WORDS).code == 0


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_to_the_same_bits(elman, lines, uninterrupted, sent):
    words = ["train", "classify", lines, "--out", "m", *WORDS]
    code, err = stop_after_two_epochs(words, sent)
    if sent == signal.SIGINT:
        assert code == 130
        err = err.removeprefix("reading lines.csv, then loading PyTorch\n")
        assert err.startswith("\ninterrupted; the last checkpoint is kept in m/checkpoint. Go on with\n\n  elman train")
        assert "Traceback" not in err
    unasked = elman(*words)
    assert (unasked.code, unasked.err) == (
        2,
        "elman: m: holds an unfinished run; go on with --resume or start again with --overwrite\n",
    )
    other = elman(*words, "--seed", "1", "--resume")
    assert (other.code, other.err.splitlines()[-1]) == (2, "elman: m: --resume expects the run's own seed, 0, got 1")
    assert "unfinished run" in elman("info", "m").err

    done = elman(*words, "--resume")
    assert done.code == 0
    assert "going on after epoch" in done.out
    for name in ("model.safetensors", "metrics.json", "vocabulary.txt"):
        assert Path("m", name).read_bytes() == (uninterrupted / name).read_bytes(), name
    configs = [json.loads((folder / "config.json").read_text()) for folder in (Path("m"), uninterrupted)]
    assert {Path(config["run"].pop("file")).name for config in configs} == {lines}
    assert configs[0] == configs[1]
    assert not Path("m/checkpoint").exists()
