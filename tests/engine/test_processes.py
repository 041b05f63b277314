"""Threads of Python's own, forks, and the choice of the instruction set by the environment."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from elman import _engine
from tests.engine.cases import assert_same_bits, case, forward, run
from tests.engine.test_network import network_of, stream_of
from tests.threads import run_in_threads

AFTER_A_FORK = """
import os
from tests.engine.cases import assert_same_bits, case, run

this = case(40, 40, 20, 60)
before = run(this, 2)
for generation in range(3):
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status)) if generation else None
        assert status == 0
        break
    assert_same_bits(run(this, 2), before)
assert_same_bits(run(this, 2), before)
print("well")
"""

AT_WORK = """
import os
import threading
import elman
from tests.engine.cases import assert_same_bits, case, run

this, long = case(40, 40, 20, 60), case(64, 96, 400, 60)
expected, stopped = run(this), threading.Event()

def work():
    while not stopped.is_set():
        run(long, 2)

workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers:
    worker.start()
for _ in range(10):
    child = os.fork()
    if not child:
        assert_same_bits(run(this, 2), expected)
        elman.release_memory()
        assert_same_bits(run(this, 4), expected)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    elman.release_memory()
stopped.set()
for worker in workers:
    worker.join()
assert_same_bits(run(this, 2), expected)
print("well")
"""

ASLEEP = """
import time
from pathlib import Path
from tests.engine.cases import case, forward

def threads():
    status = [(task.name, (task / "status").read_text()) for task in Path("/proc/self/task").iterdir()]
    return {name: dict(line.split(":", 1) for line in text.splitlines()) for name, text in status}

others = set(threads())
forward(case(8, 64, 60, 512), 16)
hired = set(threads()) - others
assert len(hired) == 15, hired
while any(threads()[name]["State"].split()[0] != "S" for name in hired):
    time.sleep(0.01)
before = threads()
for _ in range(20):
    forward(case(128, 256, 60, 4), 16)  # two groups of rows
after = threads()
print(sum(after[name]["voluntary_ctxt_switches"] != before[name]["voluntary_ctxt_switches"] for name in hired))
"""


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # since Python 3.12 a fork beside threads is warned of
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_fork_after_use_works_in_parent_child_and_grandchild():
    done = python(AFTER_A_FORK)
    assert (done.returncode, done.stderr) == (0, "")
    assert "well" in done.stdout


def test_a_fork_while_other_threads_are_inside_a_job_works_in_the_child():
    done = python("import warnings; warnings.simplefilter('ignore')" + AT_WORK)  # newer Pythons warn of such forks
    assert (done.returncode, done.stderr) == (0, "")
    assert "well" in done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux which threads woke")
def test_a_call_that_needs_one_more_thread_wakes_no_other():
    done = python(ASLEEP)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) <= 1


@pytest.mark.usefixtures("level")
def test_eight_threads_may_call_at_once():
    shapes = [(5, 7, 9, 3), (40, 40, 20, 60), (1, 1, 300, 1), (70, 33, 30, 40), (16, 64, 20, 50), (9, 70, 12, 80)]
    cases = [case(*shape) for shape in [*shapes, *shapes[1:3]]]
    expected = [run(this) for this in cases]

    def work(index: int) -> None:
        for _ in range(3):
            assert_same_bits(run(cases[index], 2), expected[index])

    run_in_threads(len(cases), work)


@pytest.mark.parametrize("name", _engine.instruction_sets())
def test_the_environment_forces_an_instruction_set(name):
    done = python("from elman import _engine; print(_engine.instruction_set())", ELMAN_ISA=name)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{name}\n", "")


def test_the_best_instruction_set_is_taken_otherwise():
    done = python("from elman import _engine; print(_engine.instruction_set())", ELMAN_ISA="")
    assert done.stdout == _engine.instruction_sets()[0] + "\n"


def expected(name: str) -> str:
    return f"expected an instruction set of this machine ({', '.join(_engine.instruction_sets())}), got '{name}'"


def others() -> list[str]:
    return [name for name in ("avx512", "neon", "AVX2", "sse9") if name not in _engine.instruction_sets()]


@pytest.mark.parametrize("name", others())
def test_an_instruction_set_that_is_unknown_or_absent_fails_at_import(name):
    done = python("from elman import _engine", ELMAN_ISA=name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: ELMAN_ISA: {expected(name)}"


@pytest.mark.parametrize("name", ["", *others()])
def test_only_instruction_sets_of_this_machine_can_be_used(name):
    before = _engine.instruction_set()
    with pytest.raises(ValueError, match="instruction set") as caught:
        _engine.use_instruction_set(name)
    assert str(caught.value) == f"name: {expected(name)}"
    assert _engine.instruction_set() == before


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("sizes", [(5, 7), (30, 330)])  # the second gives up the GIL
def test_sixteen_threads_may_each_have_a_stream_of_one_network(sizes):
    this = case(*sizes, 12, 1)
    network = network_of([this])
    expected, _ = forward(replace(this, initial_state=None))

    def work(_: int) -> None:
        stream = stream_of(network, this)
        for x_t, result in zip(this.input, expected, strict=True):
            assert_same_bits({"step": stream.step(x_t)}, {"step": result})

    run_in_threads(16, work)
