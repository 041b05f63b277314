"""Ours without PyTorch: ``elman.runtime.RNN`` and its stream."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from elman.bench._problem import Problem
from elman.bench._variant import Variant
from elman.runtime import RNN


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    rnn, out = RNN(problem.parameters), np.empty_like(problem.d_output)
    yield Variant("", partial(rnn, problem.x), lambda found: {"output": found[0]})
    yield Variant("out", partial(rnn, problem.x, None, None, out), lambda found: {"output": found[0]})


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    stream, x, out = RNN(problem.parameters).stream(), problem.x[0, 0], np.empty_like(problem.h_0[0])
    stream.state = problem.h_0[None]
    yield Variant("out", partial(stream.step, x, out), lambda found: {"output": found[None, None]})
