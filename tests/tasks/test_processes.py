import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tasks import small_run

ROOT = Path(__file__).parents[2]
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
TOGETHER += ["-m", "tests.tasks.small_run"]


def run(command):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch trains in one process only")
def test_two_processes_take_the_steps_of_one(capsys):
    small_run.main()
    alone, together = json.loads(capsys.readouterr().out), run(TOGETHER)
    for ours, theirs in zip(together["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together["losses"], alone["losses"], rtol=1e-5)
    assert alone["seen"] == {"process.0.carried.seen": [0, 1, 2, 3, 4, 5, 6] * 4}
    assert together["seen"] == {
        "process.0.carried.seen": [0, 2, 3, 4, 6] * 4,
        "process.1.carried.seen": [1, 3, 5] * 4,  # 3: a batch of one, where the loss here does not count
    }
