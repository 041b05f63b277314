"""Ours without PyTorch: ``elman.runtime.Recurrent`` of a cell of the user's own, and its stream."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import elman.runtime
from elman.bench._problem import Problem
from elman.bench._variant import Variant


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    network = elman.runtime.Recurrent(problem.parameters, problem.own.program)
    yield Variant("", partial(network, problem.x), lambda found: {"output": found[0]})


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    network = elman.runtime.Recurrent(problem.parameters, problem.own.program)
    stream, x, out = network.stream(), problem.x[0, 0], np.empty_like(problem.d_output[0, 0])
    stream.state = problem.state(lambda array: array[None])
    yield Variant("out", partial(stream.step, x, out), lambda found: {"output": found[None, None]})
