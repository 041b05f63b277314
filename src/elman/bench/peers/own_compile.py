"""``torch.compile`` of the loop over the steps of a cell of the user's own, which it writes out step by step."""

import os

os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no processes that outlive this one

from collections.abc import Callable, Iterator
from typing import Any

import torch

from elman.bench._problem import Problem
from elman.bench._variant import Variant
from elman.bench.peers import own_torch


def _compiled() -> Callable[..., Any]:
    torch.compiler.reset()
    compiled: Callable[..., Any] = torch.compile(own_torch.outputs, fullgraph=True, dynamic=False)
    return compiled


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    yield own_torch.inference_by(problem, _compiled())


step = inference


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    yield own_torch.training_by(problem, _compiled())
