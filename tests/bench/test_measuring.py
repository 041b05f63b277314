"""Runs with contenders that do wrong, and what becomes of them."""

from pathlib import Path

import pytest

from elman._cells import FAMILIES
from elman.bench._cases import Case, Shape, cases_of
from elman.bench._contenders import OURS, PEERS, Contender
from elman.bench._measuring import ENOUGH, LEAST, _measure, measure
from elman.bench._problem import draw
from elman.bench._process import Failed, Process
from elman.bench._report import Report
from elman.bench._solution import solve

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
    inference, training = {"elman layer", "elman runtime"}, {"elman layer", "elman engine"}
    assert {name for kind, name in timed if kind == "inference"} == inference
    assert {name for kind, name in timed if kind == "training"} == training
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
def test_contenders_that_are_installed_find_the_right_numbers_for_every_cell(contender):
    if contender.missing():
        pytest.skip(f"{contender.name} is not installed")
    with Process(contender, 1) as process:
        for cell in FAMILIES:
            for case in cases_of([], [SHAPE, Shape(1, 1, 4, 5)], cell):
                if case.kind in process.kinds():
                    problem = draw(case)
                    process.ask("prepare", problem, solve(problem))
                    assert process.ask("time", 1e-4) > 0
        assert {"inference", "step"} <= set(process.kinds()) or contender.native


class Patient:
    """A contender's process whose rounds take as long as they are said to, on a clock that they set."""

    threads = 1

    def __init__(self, name, clock, takes):
        self.contender, self.clock, self.takes = Contender(name, name, ()), clock, takes

    def kinds(self):
        return ["inference"]

    def ask(self, request, *arguments):
        self.clock[0] += self.takes if request == "time" else 0
        return {"rates": {}, "solve": {}, "prepare": "", "time": self.takes * 1e6}[request]


def test_who_takes_long_has_fewer_rounds(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    quick, slow, slowest = (Patient(name, clock, takes) for name, takes in (("a", 0.02), ("b", 0.3), ("c", 30)))
    report = Report({"rates": {}}, {}, {}, {})
    _measure(CASES[0], [quick, slow, slowest], quick, report, 11, 0.02, print)
    rounds = {timing.contender: len(timing.rounds) for timing in report.timings}
    assert rounds == {"a": 11, "b": 7, "c": LEAST}
    assert 6 * 0.3 < ENOUGH + 2 * 11 * 0.02 < 7 * 0.3


def test_a_problem_that_cannot_be_solved_is_left_out():
    class Stuck(Patient):
        def ask(self, request, *arguments):
            if request == "solve":
                raise Failed("no answer within 300 s")
            return super().ask(request, *arguments)

    report = Report({"rates": {}}, {}, {}, {})
    _measure(CASES[0], [], Stuck("equations", [0.0], 0), report, 3, 0.02, print)
    assert [(failure.contender, failure.reason) for failure in report.failures] == [
        ("equations", "no answer within 300 s")
    ]


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
