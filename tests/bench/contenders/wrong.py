"""Computes something else."""

from elman.bench._variant import Variant


def inference(problem, threads):
    yield Variant("zeros", lambda: None, lambda _: {"output": 0 * problem.d_output})
