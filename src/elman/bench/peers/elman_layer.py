"""Ours: ``elman.nn.RNN``, ``GRU`` and ``LSTM``, and their cells."""

from collections.abc import Iterator

import elman.nn
from elman.bench._problem import Problem
from elman.bench._variant import Variant
from elman.bench.peers import _torch_modules


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _torch_modules.inference(elman.nn, problem)


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _torch_modules.training(elman.nn, problem)


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _torch_modules.step(elman.nn, problem)
