"""Layers on a GPU beside PyTorch's with its defaults: medians of device events, in one run. ``tools/cuda_check.sh``

Before a layer is timed its output and gradients must have the bits of the CPU.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from math import exp, log
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from elman import nn

DEVICE = "cuda"
SMALL = [  # steps, batch, input, hidden
    (100, 1, 32, 64),
    (1000, 1, 16, 32),
    (100, 32, 64, 64),
    (100, 32, 128, 128),
    (100, 256, 128, 128),
    (100, 32, 256, 256),
    (100, 128, 256, 256),
]
LARGE = [(100, batch, hidden, hidden) for hidden in (512, 1024) for batch in (32, 64)]
MODES = ("inference", "training", "packed inference", "packed training")
FIRST_CALL = 3.0  # seconds, at most

Shape = tuple[int, int, int, int]


class Figure(NamedTuple):
    cell: str
    shape: Shape
    mode: str
    ours: float  # microseconds
    theirs: float

    @property
    def hidden(self) -> int:
        return self.shape[-1]


class Target(NamedTuple):
    """How many times sooner layers are to be: as a geometric mean over the shapes, and at any one."""

    what: str
    holds: Callable[[Figure], bool]
    mode: str
    mean: float
    worst: float = 0.0


def of(cells: str, least: int, most: int) -> Callable[[Figure], bool]:
    return lambda figure: figure.cell in cells.split() and least <= figure.hidden <= most


TARGETS = [
    Target("RNN, hidden up to 256", of("RNN", 1, 256), "inference", 1.5, 1.0),
    Target("RNN, hidden up to 256", of("RNN", 1, 256), "training", 2.5, 1.2),
    Target("RNN, hidden 512 and 1024", of("RNN", 512, 1024), "inference", 2.0),
    Target("RNN, hidden 512 and 1024", of("RNN", 512, 1024), "training", 1.5),
    Target("RNN, packed, hidden up to 256", of("RNN", 1, 256), "packed inference", 8.0),
    Target("RNN, packed, hidden up to 256", of("RNN", 1, 256), "packed training", 4.0),
    Target("GRU and LSTM, hidden up to 128", of("GRU LSTM", 1, 128), "inference", 1.2),
    Target("GRU and LSTM, hidden up to 128", of("GRU LSTM", 1, 128), "training", 2.0),
    Target("GRU and LSTM, hidden 256 to 1024", of("GRU LSTM", 256, 1024), "inference", 2.0),
    Target("GRU and LSTM, hidden 256 to 1024", of("GRU LSTM", 256, 1024), "training", 2.0),
]


def medians_us(calls: Sequence[Callable[[], Any]], seconds: float) -> list[float]:
    """Of each call's time on the device, from an event before it to one behind it; they take turns."""
    for call in calls:
        for _ in range(3):
            call()
    torch.cuda.synchronize()
    times: list[list[float]] = [[] for _ in calls]
    end_at = time.monotonic() + seconds
    while len(times[0]) < 5 or time.monotonic() < end_at:
        for call, of_call in zip(calls, times, strict=True):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            call()
            end.record()
            end.synchronize()
            of_call.append(begin.elapsed_time(end) * 1000)
    return [*map(median, times)]


def call_of(layer: Any, mode: str, shape: Shape) -> Callable[[], Any]:
    steps, batch, features, hidden = shape
    is_trained, is_packed = "training" in mode, "packed" in mode
    x: Any = torch.randn(steps, batch, features, device=DEVICE, requires_grad=is_trained)
    input, leaf = x, x
    if is_packed:
        lengths = torch.randint(1, steps + 1, (batch,), generator=torch.Generator().manual_seed(0))
        packed = pack_padded_sequence(x.detach(), lengths, enforce_sorted=False)
        leaf = packed.data.requires_grad_(is_trained)
        input = packed._replace(data=leaf)
    if not is_trained:

        def infer() -> Any:
            with torch.no_grad():
                return layer(input)

        return infer
    gradient = torch.randn(*leaf.shape[:-1], hidden, device=DEVICE)
    learnt = [leaf, *layer.parameters()]

    def train() -> Any:
        output = layer(input)[0]
        return torch.autograd.grad(output.data if is_packed else output, learnt, gradient)

    return train


def results(layer: Any, input: torch.Tensor) -> list[torch.Tensor]:
    """The output, and the gradients of its squares."""
    input = input.detach().requires_grad_()
    output = layer(input)[0]
    return [output.detach(), *torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])]


def check_bits(layer: Any, on_cpu: Any, input: torch.Tensor) -> None:
    for there, here in zip(results(layer, input), results(on_cpu, input.cpu()), strict=True):
        if not torch.equal(there.cpu(), here):
            raise SystemExit(f"{layer}: {int((there.cpu() != here).sum())} of {here.numel()} numbers are not the CPU's")


def error(layer: Any, theirs: Any, input: torch.Tensor) -> float:
    """The RMS error beside float64 over that of PyTorch's in float32: the larger of the output's and the gradients'."""
    allowed, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    found = results(layer, input), results(theirs, input)
    torch.backends.cudnn.allow_tf32 = allowed
    exact = results(theirs.double(), input.double())
    theirs.float()
    ratios = []
    for part in (slice(1), slice(1, None)):
        ours, others = (
            sum(float((x.double() - y).square().sum()) for x, y in zip(of[part], exact[part], strict=True))
            for of in found
        )
        ratios.append(math.sqrt(ours / others))
    return max(ratios)


def first_call() -> float:
    """Seconds of a layer's first call, with no compiled kernels kept."""
    layer, input = nn.RNN(4, 4).to(DEVICE), torch.randn(3, 2, 4, device=DEVICE)
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, XDG_CACHE_HOME=folder):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        layer(input)
        torch.cuda.synchronize()
        return time.perf_counter() - begin


def measured(cell: str, shape: Shape, seconds: float) -> tuple[list[Figure], float]:
    """A line of figures, and the error's."""
    torch.manual_seed(0)
    on_cpu = getattr(nn, cell)(*shape[2:])
    layer, theirs = getattr(nn, cell)(*shape[2:]), getattr(torch.nn, cell)(*shape[2:])
    for each in (layer, theirs):
        each.load_state_dict(on_cpu.state_dict())
        each.to(DEVICE)
    input = torch.randn(min(shape[0], 50), min(shape[1], 8), shape[2], device=DEVICE)
    check_bits(layer, on_cpu, input)
    ratio = error(layer, theirs, input)
    modes = MODES if cell == "RNN" and shape in SMALL else MODES[:2]
    figures = []
    for mode in modes:
        ours, others = medians_us([call_of(x, mode, shape) for x in (layer, theirs)], seconds)
        figures.append(Figure(cell, shape, mode, ours, others))
    columns = "".join(f"{f'{f.ours:.0f}/{f.theirs:.0f} {f.theirs / f.ours:.2f}x':>21}" for f in figures)
    print(f"{cell:5}{','.join(map(str, shape)):17}{ratio:6.2f}{columns}", flush=True)
    return figures, ratio


def verdicts(figures: list[Figure], worst_error: float, first: float) -> list[str]:
    """The table of targets."""
    lines = [f"{'':34}{'':17}{'target':>16}{'measured':>22}"]

    def add(what: str, mode: str, target: str, found: str, is_met: bool) -> None:
        lines.append(f"{what:34}{mode:17}{target:>16}{found:>22}  {'met' if is_met else 'MISSED'}")

    for what, holds, mode, mean, worst in TARGETS:
        ratios = [f.theirs / f.ours for f in figures if f.mode == mode and holds(f)]
        found = exp(sum(map(log, ratios)) / len(ratios))
        least = f", none < {worst}x" if worst else ""
        is_met = found >= mean and min(ratios) >= worst
        add(what, mode, f"{mean}x{least}", f"{found:.2f}x, least {min(ratios):.2f}x", is_met)
    add("error over cuDNN's in float32", "", "1.00", f"{worst_error:.2f}", worst_error <= 1)
    add("first call, nothing kept", "", f"{FIRST_CALL} s", f"{first:.1f} s", first <= FIRST_CALL)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.2, help="for each figure (default: %(default)s)")
    seconds = parser.parse_args().seconds
    if not nn.use_cuda_engine():
        raise SystemExit(1)
    first = first_call()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    print("Microseconds, ours/PyTorch's (TF32, its default), how many times sooner; errors over cuDNN's in float32.")
    print(f"{'cell shape':22}{'error':>6}" + "".join(f"{mode:>21}" for mode in MODES))
    lines = [measured(cell, shape, seconds) for cell in ("RNN", "GRU", "LSTM") for shape in SMALL + LARGE]
    figures = [figure for of_line, _ in lines for figure in of_line]
    print("", *verdicts(figures, max(ratio for _, ratio in lines), first), sep="\n")


if __name__ == "__main__":
    main()
