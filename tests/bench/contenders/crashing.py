"""Is right when it is checked, and ends its process in the second round."""

import os
import sys
from contextlib import nullcontext

from elman.bench._problem import solve
from elman.bench._variant import Variant


def begin():
    begin.times += 1
    if begin.times > 2:
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(3)
    return nullcontext()


begin.times = 0


def inference(problem, threads):
    yield Variant("", lambda: None, lambda _: solve(problem), begin)
