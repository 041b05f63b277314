"""``torch.nn.RNN``, ``GRU`` and ``LSTM``, and their cells."""

from collections.abc import Iterator

import torch

from elman.bench._problem import Problem
from elman.bench._variant import Variant
from elman.bench.peers import _torch_modules


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _torch_modules.inference(torch.nn, problem)


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _torch_modules.training(torch.nn, problem)


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _torch_modules.step(torch.nn, problem)
