"""Memory that ends at any allocation of a call, threads that the system does not give, memory that is given back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.compiler import COMPILER

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="needs a compiler"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs LD_PRELOAD"),
]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    library = tmp_path_factory.mktemp("refusals") / "refusals.so"
    command = [COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", HERE / "refusals.cpp", "-o", library, "-ldl"]
    subprocess.run(list(map(str, command)), check=True)
    return library


def refuse(what: str, library: Path) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "tests.engine.refused", what]
    environment = os.environ | {"LD_PRELOAD": str(library)}
    done = subprocess.run(
        command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_call_whose_memory_ends_anywhere_raises_and_leaves_nothing_behind(refusals):
    refuse("memory", refusals)


def test_a_call_works_with_the_threads_that_the_system_gives(refusals):
    refuse("threads", refusals)


def test_memory_is_given_back_by_threads_that_idle_and_after_a_call_by_those_inside_one(refusals):
    refuse("release", refusals)


def test_all_threads_together_keep_a_bounded_amount_of_memory(refusals):
    refuse("bound", refusals)


GIVEN_BACK = """
import numpy as np
from pathlib import Path
import elman

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

weights = {f"{kind}_l{layer}": np.zeros(shape, "f4") for layer in range(2)
           for kind, shape in (("weight_ih", (64, 64)), ("weight_hh", (64, 64)))}
rnn = elman.runtime.RNN(weights)
rnn(np.zeros((200, 10, 64), "f4"))
before = resident()
rnn(np.zeros((200, 1000, 64), "f4"))
kept = resident()
elman.release_memory()
print(kept - before > 45, resident() - before < 8)
"""


def test_what_is_given_back_is_the_systems_again():
    done = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr) == ("True True\n", "")
