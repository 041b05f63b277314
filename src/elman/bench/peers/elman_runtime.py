"""Ours without PyTorch: ``elman.runtime.RNN``, ``GRU`` and ``LSTM``, and their streams."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import elman.runtime
from elman.bench._problem import Problem
from elman.bench._variant import Variant


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    network, out = _network(problem), np.empty_like(problem.d_output)
    yield Variant("", partial(network, problem.x), lambda found: {"output": found[0]})
    yield Variant("out", partial(network, problem.x, None, None, out), lambda found: {"output": found[0]})


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    stream, x, out = _network(problem).stream(), problem.x[0, 0], np.empty_like(problem.d_output[0, 0])
    stream.state = problem.state(lambda array: array[None])
    yield Variant("out", partial(stream.step, x, out), lambda found: {"output": found[None, None]})


def _network(problem: Problem) -> Any:
    return getattr(elman.runtime, problem.case.family.title)(problem.parameters)
