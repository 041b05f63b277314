"""Is right when it is checked, and ends its process in the second round."""

import os
import sys
from contextlib import nullcontext

from elman.bench._variant import Variant
from elman.runtime import RNN


def begin():
    begin.times += 1
    if begin.times > 2:
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(3)
    return nullcontext()


begin.times = 0


def inference(problem, threads):
    yield Variant("", lambda: RNN(problem.parameters)(problem.x)[0], lambda output: {"output": output}, begin)
