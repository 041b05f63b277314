"""Runs with contenders that do wrong, and what becomes of them."""

from pathlib import Path

import pytest

from elman.bench._cases import Case, Shape
from elman.bench._contenders import OURS, PEERS, Contender
from elman.bench._measuring import measure
from elman.bench._problem import draw, solve
from elman.bench._process import Failed, Process

ROOT = Path(__file__).parents[2]
SHAPE = Shape(3, 2, 4, 5)
CASES = [Case("inference", SHAPE), Case("training", SHAPE)]
NAMES = ("wrong", "crashing", "raising", "broken")


@pytest.fixture(scope="module")
def run():
    """The report of a run with all of them and one that is not installed, and what was said on the way."""
    peers = [Contender(name, f"tests.bench.contenders.{name}", ("numpy",)) for name in NAMES]
    peers.append(Contender("absent", "absent", ("no-such-package",)))
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        report = measure(CASES, peers, [1], 3, 1e-4, said.append)
    return report, said


def test_ours_are_timed_in_every_round(run):
    timed = {(timing.kind, timing.contender): timing.rounds for timing in run[0].timings}
    assert timed.keys() == {("inference", "elman layer"), ("inference", "elman runtime"), ("training", "elman layer")}
    assert all(len(rounds) == 3 and min(rounds) > 0 for rounds in timed.values())


def test_who_does_wrong_is_named_with_the_reason(run):
    reasons = {failure.contender: failure.reason for failure in run[0].failures}
    assert len(run[0].failures) == len(reasons) == 3
    assert reasons["wrong"].startswith(
        "zeros: output: expected an error of at most 1e-04 of the largest number, got 1e"
    )
    assert reasons["crashing"] == "ended with 3: out of luck"
    assert reasons["raising"] == "RuntimeError: no such operator in this release"


def test_who_is_missing_is_named_with_what_to_install(run):
    assert run[0].missing == {
        "absent": "pip install no-such-package",
        "broken": "ImportError: libsomething.so: no such file",
    }


def test_every_part_of_the_run_is_told(run):
    _, said = run
    assert len(said) == len(CASES) * (3 + 1)
    assert said[0] == "inference 3,2,4,5: checking"
    assert said[-1] == "training 3,2,4,5: round 3 of 3"


def test_the_machine_is_described(run):
    report, _ = run
    assert report.machine["cores"] >= 1
    assert set(report.machine["rates"]) == {"torch", "numpy", "copy"}
    assert report.gflops > 1
    assert {"elman", "numpy", "python", "torch"} <= report.versions.keys()


@pytest.mark.parametrize("contender", [*OURS, *PEERS], ids=lambda contender: contender.name)
def test_contenders_that_are_installed_find_the_right_numbers(contender):
    if contender.missing():
        pytest.skip(f"{contender.name} is not installed")
    with Process(contender, 1) as process:
        for case in (*CASES, Case("step", Shape(1, 1, 4, 5))):
            if case.kind in process.kinds():
                problem = draw(case)
                process.ask("prepare", problem, solve(problem))
                assert process.ask("time", 1e-4) > 0
        assert {"inference", "step"} <= set(process.kinds())


def test_a_process_that_ended_is_started_again(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    problem = draw(CASES[0])
    with Process(Contender("crashing", "tests.bench.contenders.crashing", ("numpy",)), 1) as process:
        for _ in range(2):
            process.ask("prepare", problem, solve(problem))
            process.ask("time", 1e-4)
            with pytest.raises(Failed, match="ended with 3: out of luck"):
                process.ask("time", 1e-4)


def test_threads_are_limited_before_anything_is_imported(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, for other commands
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    contender = Contender("environment", "tests.bench.contenders.environment", ())
    with Process(contender, 2) as process, pytest.raises(Failed) as caught:
        process.kinds()
    assert str(caught.value) == "OMP_NUM_THREADS=2 NPROC=2 OMP_WAIT_POLICY=None"


def test_nothing_is_measured_where_the_layer_cannot_be_imported(monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libcudnn.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ImportError, match=r"^elman\.nn cannot be imported: OSError: libcudnn\.so: no such file$"):
        measure([], [], [1], 3, 1e-4, print)
