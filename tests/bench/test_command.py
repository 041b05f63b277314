import json
from pathlib import Path

import pytest

from elman.bench import _contenders
from elman.cli._bench import _threads
from tests.bench.reports import whole_report
from tests.cli.conftest import elman  # noqa: F401

OF_THREADS = "expected integers from 1 to 3 with commas between, as there are 3 processors"
QUICK = ("--shape", "3,1,2,4", "--rounds", "2", "--seconds", "0.001", "--threads", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_table_on_standard_output_and_all_rounds_in_a_file(elman, monkeypatch):  # noqa: F811
    version = _contenders._version
    monkeypatch.setattr(_contenders, "_version", lambda name: None if name == "jax" else version(name))
    peers = ("--peer", "torch", "--peer", "jax", "--what", "inference")
    done = elman("bench", "--cell", "gru", *QUICK, *peers, "--json", "rounds.json", "--plot", "times.png")
    assert (done.code, done.err) == (0, "")
    table = ("instruction set ", "matrix product ", "GRU inference: µs a call", "\n3,1,2,4 ")
    for part in (*table, "missing: jax (pip install jax)\n"):
        assert part in done.out
    report = json.loads(Path("rounds.json").read_text())
    assert report["format"] == "elman bench 1"
    assert (report["settings"]["cell"], report["settings"]["rounds"]) == ("gru", 2)
    assert {each["contender"] for each in report["timings"]} == {"elman layer", "elman runtime", "torch"}
    assert all(len(each["rounds"]) == 2 for each in report["timings"])
    assert report["failures"] == []
    assert Path("times.png").read_bytes().startswith(b"\x89PNG")
    for option, file in (("--json", "rounds.json"), ("--plot", "times.png")):
        again = elman("bench", *QUICK, option, file)
        expected = "expected a new file, there is one already; choose another name or add --overwrite"
        assert (again.code, again.out, again.err) == (2, "", f"elman: {file}: {expected}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shape", "1,2,3"], "--shape: expected STEPS,BATCH,INPUT,HIDDEN, four integers of at least 1, got '1,2,3'"),
        (["--cell", "GRU"], "--cell: expected rnn, gru or lstm, got 'GRU'"),
        (["--what", "inference,speed"], "--what: expected inference, training or step, got 'speed'"),
        (["--peer", "keras"], "--peer: expected torch, jax, onnxruntime, openvino, numba or onednn, got 'keras'"),
        (["--threads", "0"], f"--threads: {OF_THREADS}, got '0'"),
        (["--threads", "1,x"], f"--threads: {OF_THREADS}, got '1,x'"),
        (["--threads", "4,8"], f"--threads: {OF_THREADS}, got '4,8'"),
        (["--rounds", "0"], "--rounds: expected an integer of at least 1, got 0"),
        (["--seconds", "0"], "--seconds: expected a number above 0 and up to 60, got 0.0"),
        (["--seconds", "nan"], "--seconds: expected a number above 0 and up to 60, got nan"),
        (["--plot", "x.gif"], "--plot: expected a file named .png, .svg or .pdf, got x.gif"),
        (["--json", "none/x"], "none/x: expected a place in a folder that exists, there is no none"),
    ],
)
def test_wrong_options_are_refused_in_one_line(elman, words, said, monkeypatch):  # noqa: F811
    monkeypatch.setattr("elman._processors.processors", lambda: 3)
    done = elman("bench", *words)
    assert (done.code, done.out, done.err) == (2, "", f"elman: {said}\n")


def test_more_threads_than_there_are_processors_are_left_out(monkeypatch, capsys):
    monkeypatch.setattr("elman._processors.processors", lambda: 3)
    assert _threads("8,2,1,4") == [1, 2]
    assert capsys.readouterr() == ("", "elman: --threads: 4, 8 left out, there are 3 processors\n")
    assert (_threads("3"), _threads(None)) == ([3], [1, 2])
    monkeypatch.setattr("elman._processors.processors", lambda: 1)
    assert _threads(None) == [1]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures(suffix):
    from elman.bench._plot import plot

    plot(Path(f"x.{suffix}"), whole_report())
    assert Path(f"x.{suffix}").stat().st_size > 10_000
