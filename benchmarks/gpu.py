"""Layers on a GPU beside PyTorch's with its defaults: medians of device events, in one run. ``tools/cuda_check.sh``"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from elman import nn

SHAPES = [  # steps, batch, input, hidden
    (100, 1, 32, 64),
    (1000, 1, 16, 32),
    (100, 32, 64, 64),
    (100, 32, 128, 128),
    (100, 256, 128, 128),
    (100, 32, 256, 256),
    (100, 128, 256, 256),
    (100, 64, 512, 512),
    (100, 32, 1024, 1024),
]
MODES = ("inference", "training", "packed")


def median_us(call: Callable[[], Any], seconds: float) -> float:
    """Of a call's time on the device, from an event before it to one behind it."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times: list[float] = []
    end_at = time.monotonic() + seconds
    while len(times) < 5 or time.monotonic() < end_at:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1000)
    return sorted(times)[len(times) // 2]


def call_of(layer: Any, mode: str, shape: tuple[int, int, int, int]) -> Callable[[], Any]:
    steps, batch, features, _ = shape
    input: Any = torch.randn(steps, batch, features, device="cuda", requires_grad=mode == "training")
    if mode == "packed":
        lengths = torch.randint(1, steps + 1, (batch,))
        input = pack_padded_sequence(input, lengths, enforce_sorted=False)
    if mode != "training":

        def run() -> Any:
            with torch.no_grad():
                return layer(input)

        return run
    gradient = torch.randn_like(layer(input)[0])
    learnt = [input, *layer.parameters()]
    return lambda: torch.autograd.grad(layer(input)[0], learnt, gradient)


def errors(shape: tuple[int, int, int, int], layer: Any, theirs: Any) -> tuple[float, float]:
    """RMS errors of the output beside float64, ours and PyTorch's in float32."""
    steps, batch, features, _ = shape
    input = torch.randn(min(steps, 100), min(batch, 8), features, device="cuda")
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.no_grad():
            outputs = layer(input)[0], theirs(input)[0]
            exact = theirs.double()(input.double())[0]
    finally:
        theirs.float()
        torch.backends.cudnn.allow_tf32 = allowed
    ours, others = (float((x.double() - exact).square().mean().sqrt()) for x in outputs)
    return ours, others


def first_call() -> float:
    """Seconds of a layer's first call, with no compiled kernels kept."""
    layer, input = nn.RNN(4, 4).cuda(), torch.randn(3, 2, 4, device="cuda")
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, XDG_CACHE_HOME=folder):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        layer(input)
        torch.cuda.synchronize()
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.15, help="for each figure (default: %(default)s)")
    seconds = parser.parse_args().seconds
    if not nn.use_cuda_engine():
        raise SystemExit(1)
    first = first_call()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    print(f"first call, nothing kept: {first:.1f} s. Microseconds, ours / PyTorch's (TF32), and how many times sooner.")
    print(f"{'cell shape':24}" + "".join(f"{mode:>24}" for mode in MODES) + f"{'error / float32':>18}")
    for name in ("RNN", "GRU", "LSTM"):
        for shape in SHAPES:
            torch.manual_seed(0)
            layer = getattr(nn, name)(*shape[2:]).cuda()
            theirs = getattr(torch.nn, name)(*shape[2:]).cuda()
            theirs.load_state_dict(layer.state_dict())
            line = f"{name:5}{','.join(map(str, shape)):19}"
            for mode in MODES:
                ours, others = (median_us(call_of(x, mode, shape), seconds) for x in (layer, theirs))
                line += f"{f'{ours:.0f} / {others:.0f} = {others / ours:.2f}':>24}"
            error, error_of_others = errors(shape, layer, theirs)
            print(line + f"{error / error_of_others:>18.2f}", flush=True)


if __name__ == "__main__":
    main()
