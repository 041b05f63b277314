"""Times elman.nn.RNN beside torch.nn.RNN: inference, and one training step (forward, backward, all gradients).

Both hold the same weights and their results are compared before anything is timed. They take turns in short rounds,
since machines change their speed; a figure is a ratio of this run. Shown are the best round and, in brackets, the
median, in microseconds a call.

    python benchmarks/speed.py
    python benchmarks/speed.py --shape 100,32,64,64 --threads 1 --rounds 40
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

import elman.nn
from elman import _engine

Call = Callable[[], object]


class Shape(NamedTuple):
    """The size of a layer and its input."""

    steps: int
    batch: int
    input_size: int
    hidden_size: int

    @classmethod
    def parse(cls, text: str) -> Shape:
        """From ``steps,batch,input,hidden``."""
        return cls(*(int(number) for number in text.split(",")))

    def __str__(self) -> str:
        return ",".join(map(str, self))


SHAPES = [
    Shape(1, 1, 4, 6),
    Shape(3, 1, 2, 4),
    Shape(100, 1, 32, 64),
    Shape(100, 1, 128, 256),
    Shape(1000, 1, 16, 32),
    Shape(100, 32, 64, 64),
    Shape(100, 32, 128, 128),
    Shape(100, 32, 256, 256),
    Shape(100, 64, 512, 512),
    Shape(50, 64, 1024, 1024),
    Shape(200, 16, 40, 128),
]


def seconds_per_call(call: Call, seconds: float) -> float:
    """The mean over a round of about ``seconds``, at least one call."""
    begin = time.perf_counter()
    calls = 0
    while True:
        call()
        calls += 1
        spent = time.perf_counter() - begin
        if spent >= seconds:
            return spent / calls


def alternate(calls: list[Call], rounds: int, seconds: float) -> list[list[float]]:
    """Microseconds a call of every round, for each of ``calls``."""
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, taken in zip(calls, times, strict=True):
            taken.append(seconds_per_call(call, seconds) * 1e6)
    return times


def layers(shape: Shape) -> tuple[torch.nn.RNN, elman.nn.RNN]:
    """The two contestants, with the same weights."""
    theirs = torch.nn.RNN(shape.input_size, shape.hidden_size)
    ours = elman.nn.RNN(shape.input_size, shape.hidden_size)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def inference(layer: torch.nn.RNN, x: torch.Tensor) -> Call:
    def call() -> object:
        with torch.inference_mode():
            return layer(x)

    return call


def training(layer: torch.nn.RNN, x: torch.Tensor, d_output: torch.Tensor) -> Call:
    def call() -> object:
        layer.zero_grad()
        output, _ = layer(x)
        torch.autograd.backward(output, d_output)
        return output

    return call


def check(theirs: torch.nn.RNN, ours: torch.nn.RNN, x: torch.Tensor, d_output: torch.Tensor) -> None:
    """Refuses to time what computes something else."""
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-4)
    for layer in (theirs, ours):
        training(layer, x, d_output)()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        scale = float(other.grad.abs().max()) if other.grad is not None else 0.0
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-4 * scale)


def matrix_product_rate() -> float:
    """Gflop/s of PyTorch's own matrix product, the best of ten."""
    size = 1024
    a, b = torch.randn(2, size, size)
    return max(2 * size**3 / seconds_per_call(lambda: a @ b, 0.05) for _ in range(10)) / 1e9


def entry(times: list[float]) -> str:
    return f"{min(times):9.1f} ({statistics.median(times):9.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=Shape.parse, action="append", metavar="STEPS,BATCH,INPUT,HIDDEN")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a round")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    print(
        f"{platform.machine()}, instruction set {_engine.instruction_set()}, {options.threads} threads, ",
        end="",
    )
    print(f"torch {torch.__version__}, matrix product {matrix_product_rate():.0f} Gflop/s")
    print(f"{'steps,batch,input,hidden':>25} {'':9} {'torch best (median)':>21} {'elman':>21} {'torch / elman':>15}")
    ratios: dict[str, list[float]] = {"inference": [], "training": []}
    for shape in options.shape or SHAPES:
        theirs, ours = layers(shape)
        x = torch.randn(shape.steps, shape.batch, shape.input_size)
        d_output = torch.randn(shape.steps, shape.batch, shape.hidden_size)
        check(theirs, ours, x, d_output)
        for what, calls in (
            ("inference", [inference(theirs, x), inference(ours, x)]),
            ("training", [training(theirs, x, d_output), training(ours, x, d_output)]),
        ):
            slow, fast = alternate(calls, options.rounds, options.seconds)
            ratio = min(slow) / min(fast)
            ratios[what].append(ratio)
            print(f"{shape!s:>25} {what:9} {entry(slow)} {entry(fast)} {ratio:14.1f}x", flush=True)
    for what, values in ratios.items():
        mean = math.exp(statistics.fmean(map(math.log, values)))
        print(f"{what}: geometric mean {mean:.1f}x, least {min(values):.1f}x")


if __name__ == "__main__":
    main()
