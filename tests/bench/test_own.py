"""A cell of the user's own: read from their file, and timed beside others that compute the same."""

import pickle
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from elman import InputError
from elman.bench._cases import KINDS, OF_OWN, Shape, cases_of
from elman.bench._contenders import OWN_PEERS, ours_of, peers_of
from elman.bench._own import load
from elman.bench._problem import difference, draw
from elman.bench._report import Report, Timing
from elman.bench._solution import solve
from elman.bench._table import as_text
from elman.bench._worker import Worker
from tests.bench.reports import MACHINE
from tests.cli.conftest import elman  # noqa: F401

LEAKY = """
from elman.cells import Cell, learned, tanh
class Leaky(Cell):
    def step(self, a, h, leak):
        return (1 - leak) * h + leak * tanh(a)
"""
EVERYTHING = """
from elman.cells import *
class Everything(Cell):
    gates, states = ("a", "n"), ("h", "v", "w")
    step_inputs, sequence_inputs = ("noise",), ("mask",)
    def __init__(self):
        super().__init__(gain=learned(0.5), shift=[0.1, 0.2, 0.3, 0.4, 0.5])
    def step(self, a, n, h, v, w, noise, mask, gain, shift):
        w = where(a < 0.1, 0.5 * w, -w) + fma(gain, n.recurrent, n.input) / (2.0 + abs(a))
        w = where(w <= shift, w, shift - 0.1 * w) + where(mask == 0, 1.0, 0.5)
        v = minimum(maximum(v + 0.1 * noise, -0.5), 0.5) + minimum(a, gain) * maximum(a, shift)
        return tanh(softplus(v) - relu(w) + sigma(mask)) + sqrt(1 + h * h) - mean_units(log(exp(-abs(h)))), v, w
cell = Everything()
"""
GATED = """
from elman.cells import *
cell = LayerNormGRU()
plain = IndRNN()
masked = RecurrentDropout(LSTM(), 0.25)
class Voltage(Cell):
    states, fed_back = ("v", "r"), "r"
    def step(self, a, v):
        v = 0.9 * v + 0.1 * a
        return v, tanh(v)
voltage = Voltage()
"""

CELLS = (
    "leaky.py:Leaky(leak=0.2)",
    "leaky.py:Leaky(leak=learned(0.2))",
    "everything.py",
    "gated.py:cell",
    "gated.py:plain",
    "gated.py:masked",
    "gated.py:voltage",
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("leaky", LEAKY), ("everything", EVERYTHING), ("gated", GATED)):
        Path(f"{name}.py").write_text(text)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", KINDS)
def test_all_compute_the_same(cell, kind):
    own = load(cell)
    (case,) = cases_of([kind], [Shape(1, 1, 3, 5) if kind == "step" else Shape(4, 2, 3, 5)], own=own)
    problem = draw(case)
    right = solve(problem)
    assert ("d_input" in right) == (kind == "training")
    timed = 0
    for contender in (*ours_of(own), *OWN_PEERS):
        if contender.missing() or contender.name == "torch.compile":  # which takes half a minute
            continue
        module = import_module(contender.module)
        for variant in getattr(module, kind)(problem, 1) if hasattr(module, kind) else ():
            with variant.within():
                assert difference(variant.read(variant.call()), right, own.has_kinks) is None, contender.name
            timed += 1
    assert timed >= 1


@pytest.mark.usefixtures("files")
def test_a_contenders_process_is_sent_data_alone(monkeypatch):
    (case,) = cases_of(["inference"], [Shape(4, 2, 3, 5)], own=load("leaky.py:Leaky(leak=learned(0.2))"))
    problem = draw(case)
    monkeypatch.delitem(sys.modules, "cell_file_leaky")  # as in another process
    sent = pickle.loads(pickle.dumps(problem))
    worker = Worker("elman.bench.peers.own_runtime", 1)
    assert worker.prepare(sent, solve(problem)) == ""
    assert worker.time(1e-4) > 0
    with pytest.raises(ValueError, match="output: expected an error"):
        worker.prepare(sent, {"output": problem.d_output})


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_the_command_times_all(elman):  # noqa: F811
    words = ("--shape", "3,1,2,4", "--rounds", "2", "--seconds", "0.001", "--threads", "1", "--json", "x.json")
    done = elman("bench", "--cell-file", "everything.py", *words, "--shape", "3,1,2,5", "--peer", "torch")
    assert (done.code, done.out) == (2, "")  # of five units
    assert "--shape: expected a hidden size of 5" in done.err
    done = elman(
        "bench", "--cell-file", "leaky.py:Leaky(leak=0.2)", *words, "--peer", "torch", "--peer", "torch.compile"
    )
    assert (done.code, done.err) == (0, "")
    report = Report.from_json(Path("x.json").read_text())
    assert {timing.contender for timing in report.timings} == {"elman layer", "elman runtime", "torch", "torch.compile"}
    assert report.own.title == "Leaky"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's compiler
@pytest.mark.usefixtures("files")
def test_the_loop_is_compiled():
    from elman.bench.peers import own_compile

    (case,) = cases_of(["training"], [Shape(4, 2, 3, 5)], own=load("everything.py"))
    problem = draw(case)
    (variant,) = own_compile.training(problem, 1)
    assert difference(variant.read(variant.call()), solve(problem), True) is None


@pytest.mark.usefixtures("files")
def test_a_cell_is_named_or_the_only_one_of_its_file():
    assert load("everything.py") == load("everything.py:cell") == load("everything.py:Everything")
    own = load("leaky.py:Leaky(leak=learned([0.1, 0.2, 0.3]))")
    assert (own.title, own.units, own.learned, own.width) == ("Leaky", {"leak": (0.1, 0.2, 0.3)}, ("leak",), 3)
    assert (load("everything.py").has_kinks, own.has_kinks) == (True, False)
    assert load("leaky.py:Leaky(leak=0.2)").units == {}  # a number is a part of the program


@pytest.mark.usefixtures("files")
def test_its_values_say_the_hidden_size():
    own = load("leaky.py:Leaky(leak=[0.1, 0.2])")
    assert {case.shape.hidden_size for case in cases_of([], [], own=own)} == {2}
    assert len(cases_of(["training"], [], own=load("leaky.py:Leaky(leak=0.1)"))) == len(OF_OWN)
    with pytest.raises(
        InputError, match="shape: expected a hidden size of 2, as many values the cell has, got '1,1,3,4'"
    ):
        cases_of([], [Shape(1, 1, 3, 4)], own=own)


@pytest.mark.usefixtures("files")
def test_the_runtime_is_left_out_where_a_step_is_given_more():
    assert [our.name for our in ours_of(load("everything.py"))] == ["elman layer"]
    own = load("leaky.py:Leaky(leak=0.1)")
    assert [our.name for our in ours_of(own)] == ["elman layer", "elman runtime"]
    assert [peer.name for peer in peers_of(["jax", "torch.compile"], own)] == ["torch.compile", "jax"]
    with pytest.raises(InputError, match=r"peer: expected torch, torch.compile or jax, got 'numba'"):
        peers_of(["numba"], own)


@pytest.mark.usefixtures("files")
def test_the_report_holds_the_cell_as_data():
    own = load("leaky.py:Leaky(leak=learned(0.2))")
    settings = {"cell": own.title, "own": own.to_data(), "rounds": 2, "seconds": 0.1, "threads": [1]}
    report = Report(MACHINE, {"elman": "1.2.3"}, settings, {})
    for name, time in (("elman layer", 10.0), ("torch", 300.0), ("torch.compile", 40.0)):
        report.timings.append(Timing("training", Shape(100, 1, 8, 8), name, 1, "", [time, time]))
    again = Report.from_json(report.to_json())
    assert again == report
    assert again.own == own
    text = as_text(again)
    for part in (
        "\nLeaky training: µs a call, best of 2 rounds",
        "torch: a loop over the steps; torch.compile: that loop, compiled; jax: lax.scan over them, jitted",
        "training, torch / ours: geometric mean 30.00x",
        "training, torch.compile / ours: geometric mean 4.00x",
    ):
        assert part in text


def test_few_numbers_beyond_a_kink_do_not_count():
    right = {"output": np.ones((100, 100))}
    found = {"output": np.ones((100, 100))}
    found["output"][3, 4] = 1.5
    assert difference(found, right).startswith(
        "output: expected an error of at most 1e-04 of the largest number, got 5e"
    )
    assert difference(found, right, has_kinks=True) is None
    assert difference({"output": 1.1 * right["output"]}, right, True) == (
        "output: expected an error of at most 1e-02 of all numbers, got 1e-01"
    )


@pytest.mark.usefixtures("files")
def test_numbers_that_are_not_finite_are_told():
    Path("c.py").write_text(
        "from elman.cells import *\nclass C(Cell):\n    def step(self, a):\n        return log(a - 9)\n"
    )
    (case,) = cases_of(["inference"], [Shape(2, 1, 2, 3)], own=load("c.py"))
    with pytest.raises(ValueError, match="output: expected finite numbers of the cell at normal inputs, got NaN"):
        solve(draw(case))


OF_GATED = "cell, plain, masked, voltage"
OF_ONE = "expected FILE:NAME of a Cell in it, or FILE:NAME(…) of one with its values"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("given", "text", "said"),
    [
        ("no.py", None, "no.py: expected a file of Python with a cell in it, there is no such file"),
        ("a.txt", "", "a.txt: expected a file of Python, named .py"),
        ("a.py", "", "--cell-file: expected a file with a Cell in it, got 'a.py'"),
        ("a.py", "import none_such", "a.py, line 1: ModuleNotFoundError: No module named 'none_such'"),
        ("a.py", "x = 1\nx = (", "a.py, line 2: '(' was never closed"),
        ("a.py", "\nexit(3)", "a.py, line 2: SystemExit: 3"),
        ("gated.py", None, f"--cell-file: expected gated.py:NAME with one of {OF_GATED}, got 'gated.py'"),
        ("leaky.py", None, "leaky.py: Leaky.step: leak is no gate, state or input; give it as Leaky(leak=…)"),
        ("leaky.py:tanh", None, f"--cell-file: {OF_ONE}, got 'leaky.py:tanh'"),
        ("leaky.py:", None, f"--cell-file: {OF_ONE}, got 'leaky.py:'"),
        ("leaky.py:Leaky(leak=", None, f"--cell-file: {OF_ONE}, got 'leaky.py:Leaky(leak='"),
        ("leaky.py:Loeky", None, "leaky.py: NameError: name 'Loeky' is not defined"),
        ("leaky.py:Leaky(leak='a')", None, "leaky.py: leak: expected a number, values or learned(…), got 'a'"),
        (
            "a.py",
            "from elman.cells import Cell\nclass C(Cell):\n    def step(self, a, h):\n        return h if a > 0 else a",
            "a.py, line 4: a step cannot branch on values, which differ by unit and row: where(condition, this, that)",
        ),
    ],
)  # fmt: skip
def test_files_without_a_cell_are_refused_in_one_line(elman, given, text, said):  # noqa: F811
    if text is not None:
        Path(given).write_text(text)
    done = elman("bench", "--cell-file", given)
    assert (done.code, done.out, done.err) == (2, "", f"elman: {said}\n")


@pytest.mark.usefixtures("files")
def test_a_cell_is_of_the_package_or_ones_own(elman):  # noqa: F811
    done = elman("bench", "--cell-file", "leaky.py", "--cell", "gru")
    assert (done.code, done.err) == (
        2,
        "elman: --cell-file: expected --cell or --cell-file, not both, got 'leaky.py'\n",
    )
