"""What the speed of this package is held to beyond the table of elman bench: each figure, its target, met or missed.

    python benchmarks/targets.py                                         all of the RNN, some four minutes
    python benchmarks/targets.py --cell gru                              of another cell, half a minute
    python benchmarks/targets.py --only packed --only memory             some
    python benchmarks/targets.py --json benchmarks/results/targets-rnn-avx2.json

Ours and PyTorch's take turns in one process, each on its better number of threads; figures are best rounds, or ratios
of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
from rounds import KINDS, Call, beside, by_threads, call_of, in_turns, pair
from scaling import growth
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman
import elman.nn
from elman._cells import FAMILIES
from elman.bench._contenders import OURS
from elman.bench._machine import describe, versions

DATA = Path(__file__).parents[1] / "data"


class Row(NamedTuple):
    """A figure beside its target."""

    what: str
    at: str
    figure: float
    unit: str
    target: str
    met: bool
    torch: float | None = None

    @classmethod
    def at_most(cls, what: str, at: str, figure: float, unit: str, most: float, torch: float | None = None) -> "Row":
        return cls(what, at, figure, unit, f"≤ {most:g} {unit}".strip(), figure <= most, torch)

    @classmethod
    def at_least(cls, what: str, at: str, figure: float, least: float) -> "Row":
        return cls(what, at, figure, "x", f"≥ {least:g}x", figure >= least)

    def __str__(self) -> str:
        beside = f" (torch {self.torch:.3g})" if self.torch is not None else ""
        mark = "met" if self.met else "MISSED"
        return f"{self.what:44} {self.at:28} {self.figure:7.3g} {self.unit:2}{beside:16} {self.target:10} {mark}"


def calls() -> Iterator[Row]:
    """One call of little work: what a call costs."""
    layers, x = pair(2, 4), torch.randn(3, 1, 2)
    runtime, array = elman.runtime.RNN(layers["torch"].state_dict()), x.numpy()
    calls = {name: partial(layer, x) for name, layer in layers.items()} | {"runtime": partial(runtime, array)}
    found = in_turns("inference", calls)
    yield Row.at_most("one call of the layer, inference_mode", "3,1,2,4", found["elman"], "µs", 8, found["torch"])
    yield Row.at_most("one call of the runtime", "3,1,2,4", found["runtime"], "µs", 2.5)
    calls = {name: call_of("training", layer, x) for name, layer in layers.items()}
    found = in_turns("training", calls | {"empty": _empty_call(layers["elman"], x)})
    yield Row.at_most("forward and backward", "3,1,2,4", found["elman"], "µs", 50, found["torch"])
    over = found["elman"] / found["empty"]
    what = f"forward and backward over {found['empty']:.0f} µs of an empty Function"
    yield Row.at_most(what, "3,1,2,4", over, "x", 1.5)


class _Empty(torch.autograd.Function):
    """What PyTorch's autograd takes for a layer that computes nothing: tensors kept, results and gradients made."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(x, *parameters)
        ctx.set_materialize_grads(False)
        steps, batch, _ = x.shape
        hidden_size = len(parameters[-1])
        return x.new_empty(steps, batch, hidden_size), x.new_empty(1, batch, hidden_size)

    @staticmethod
    def backward(ctx: Any, *d_results: Any) -> tuple[torch.Tensor, ...]:
        return tuple(map(torch.empty_like, ctx.saved_tensors))


def _empty_call(layer: torch.nn.RNNBase, x: torch.Tensor) -> Call:
    leaves, d_output = [x.clone().requires_grad_(), *layer.parameters()], torch.randn(*x.shape[:2], layer.hidden_size)

    def train() -> object:
        output, _ = _Empty.apply(*leaves)  # type: ignore[no-untyped-call]
        return torch.autograd.grad(output, leaves, d_output)

    return train


def cold() -> Iterator[Row]:
    """A call after 8 MB of other data have passed the caches, beside one after another."""
    steps, batch, size = 100, 32, 64
    layer, x = elman.nn.RNN(size, size), torch.randn(steps, batch, size)
    other = np.zeros(1 << 20)  # 8 MB

    def pass_other() -> None:
        np.add(other, 1, out=other)

    for kind in KINDS:
        call = call_of(kind, layer, x)
        best = {}
        with torch.inference_mode(kind == "inference"):
            for name, before in (("warm", call), ("cold", pass_other)):
                best[name] = min(fmean(_after(before, call) for _ in range(10)) for _ in range(20))
        at = _joined((steps, batch, size, size))
        yield Row.at_most(f"a cold call over a warm one, {kind}", at, best["cold"] / best["warm"], "x", 1.3)


def _after(before: Call, call: Call) -> float:
    before()
    return timeit.timeit(call, number=1)


def cells() -> Iterator[Row]:
    for sizes in ((4, 6), (64, 64)):
        yield _cell("RNN", *sizes, 5)


def gated_cells(title: str) -> Iterator[Row]:
    yield _cell(title, 64, 64, 9)


def _cell(title: str, input_size: int, hidden_size: int, most: float) -> Row:
    x, state = torch.randn(1, input_size), torch.zeros(1, hidden_size)
    given = x, (state, state) if title == "LSTM" else state
    modules = {"elman": elman.nn, "torch": torch.nn}
    calls = {
        name: partial(getattr(nn, f"{title}Cell")(input_size, hidden_size), *given) for name, nn in modules.items()
    }
    found = in_turns("inference", calls)
    at = f"1,1,{input_size},{hidden_size}"
    return Row.at_most(f"{title}Cell, inference_mode", at, found["elman"], "µs", most, found["torch"])


def streams() -> Iterator[Row]:
    for input_size, hidden_size, most in ((4, 6, 0.6), (64, 64, 1.5)):
        yield _stream("RNN", input_size, hidden_size, most)


def gated_streams(title: str) -> Iterator[Row]:
    yield _stream(title, 64, 64, {"GRU": 1.2, "LSTM": 1.5}[title])


def _stream(title: str, input_size: int, hidden_size: int, most: float) -> Row:
    layer = getattr(torch.nn, title)(input_size, hidden_size)
    stream = getattr(elman.runtime, title)(layer.state_dict()).stream()
    names = {"stream": stream, "x": np.ones(input_size, "f"), "y": np.empty(hidden_size, "f")}
    best = min(timeit.repeat("stream.step(x, out=y)", globals=names, repeat=15, number=20_000)) / 20_000
    return Row.at_most("stream.step(x, out=y)", f"1,1,{input_size},{hidden_size}", best * 1e6, "µs", most)


PASSES = 3
Case = tuple[str, tuple[int, int, int, int]]  # a kind of work; steps, batch, input_size, hidden_size
LEAST_GAINS = {"inference": 1.75, "training": 1.6}
BUSY = ((100, 16, 128, 128), (200, 16, 40, 128), (100, 32, 128, 128), (100, 32, 256, 256), (100, 64, 512, 512))
ODD = (
    (1, 1, 4, 6), (3, 1, 2, 4), (100, 1, 32, 64), (1000, 1, 16, 32), (100, 1, 128, 256), (30, 1, 300, 650),
    (100, 1, 1, 1), (100, 2, 7, 7), (100, 3, 100, 100), (50, 20, 1, 300), (20, 48, 1000, 100), (50, 128, 32, 7),
    (100, 8, 16, 20), (100, 32, 64, 64),
)  # fmt: skip


def threads() -> Iterator[Row]:
    """Two threads beside one, with the same layer and numbers."""
    gains = _gains([(kind, shape) for kind in KINDS for shape in (*BUSY, *ODD)])
    for kind in KINDS:
        for shape in BUSY:
            yield Row.at_least(f"2 threads over 1, {kind}", _joined(shape), gains[kind, shape], LEAST_GAINS[kind])
        shape = min(ODD, key=lambda shape: gains[kind, shape])
        never_slower = 0.97  # but for noise
        where = f"least of others: {_joined(shape)}"
        yield Row.at_least(f"2 threads over 1, {kind}", where, gains[kind, shape], never_slower)


def _joined(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))


def _gains(cases: list[Case]) -> dict[Case, float]:
    """Return the best time on one thread over that on two, all cases in turns.

    The two processors that a virtual machine sees may for seconds be threads of one: then no rounds are good.
    """
    best: dict[tuple[Case, int], float] = {}
    for _ in range(PASSES):
        for case in cases:
            kind, (steps, batch, input_size, hidden_size) = case
            layer, x = elman.nn.RNN(input_size, hidden_size), torch.randn(steps, batch, input_size)
            for (_, number), taken in by_threads(kind, {"elman": layer}, x, (1, 2)).items():
                best[case, number] = min(taken, best.get((case, number), taken))
    return {case: best[case, 1] / best[case, 2] for case in cases}


LARGE = ((100, 32, 256, 256), (20, 48, 384, 384), (100, 64, 512, 512), (50, 64, 1024, 1024))


def products() -> Iterator[Row]:
    """Our rate beside the libraries' of the product that a step is: its rows and W_hh."""
    return gated_products("RNN")


def gated_products(title: str) -> Iterator[Row]:
    for kind, times in (("inference", 1), ("training", 3)):
        for shape in LARGE:
            steps, batch, input_size, hidden_size = shape
            layer, x = getattr(elman.nn, title)(input_size, hidden_size), torch.randn(steps, batch, input_size)
            hidden, weight = torch.randn(batch, hidden_size), layer.weight_hh_l0.detach()
            libraries = {
                "MKL": partial(torch.nn.functional.linear, hidden, weight),
                "OpenBLAS": partial(np.matmul, hidden.numpy(), weight.numpy().T),
            }
            found = in_turns(kind, libraries | {"elman": call_of(kind, layer, x)})
            best = min(libraries, key=lambda name: found[name])
            product, depth = 2 * batch * weight.numel() / found[best] / 1e3, input_size + hidden_size
            rate = 2 * times * steps * batch * len(weight) * depth / found["elman"] / 1e3
            what = f"{kind}, Gflop/s: {rate:.0f} over {best}'s {product:.0f}"
            yield Row.at_least(what, _joined(shape), rate / product, 1)


def memory() -> Iterator[Row]:
    sizes = (1000, 32, 128, 256)
    ours, theirs = (growth(sizes, name) for name in ("elman", "torch"))
    yield Row.at_most("growth of memory in a training step", _joined(sizes), ours, "MB", 75, theirs)


def gated_memory(title: str) -> Iterator[Row]:
    sizes = (1000, 32, 128, 256)
    ours, theirs = (growth(sizes, name, title) for name in ("elman", "torch"))
    what = f"growth of memory in a training step, {ours:.0f} MB, over torch's {theirs:.0f}"
    yield Row.at_most(what, _joined(sizes), ours / theirs, "x", 0.75)


def _ragged(steps: int, batch: int, size: int) -> tuple[torch.Tensor, PackedSequence, str]:
    """Return numbers, packed and not, of lengths that are uniform in 1 to steps; and their shape in words."""
    x, lengths = torch.randn(steps, batch, size), torch.randint(1, steps + 1, (batch,))
    return x, pack_padded_sequence(x, lengths, enforce_sorted=False), f"{steps} at most,{batch},{size},{size}"


def gated_packed(title: str) -> Iterator[Row]:
    _, given, at = _ragged(100, 64, 128)
    layers = pair(128, 128, title=title)
    for kind in KINDS:
        found = beside(kind, layers, given)
        least = {"GRU": 4, "LSTM": 3}[title]
        yield Row.at_least(f"torch over ours, packed, {kind}", at, found["torch"] / found["elman"], least)


def packed() -> Iterator[Row]:
    """The time of a valid step."""
    x, given, at = _ragged(100, 64, 128)
    layer = elman.nn.RNN(128, 128)
    share = len(given.data) / (100 * 64)
    for kind in KINDS:
        found = in_turns(kind, {"padded": call_of(kind, layer, x), "packed": call_of(kind, layer, given)})
        yield Row.at_most(f"packed over padded, {kind}", at, found["packed"] / share / found["padded"], "x", 1.15)


def bidirectional() -> Iterator[Row]:
    """Two layers of two directions over their four parts."""
    steps, batch, size = 100, 32, 128
    layers = {"whole": elman.nn.RNN(size, size, num_layers=2, bidirectional=True)}
    layers |= {"lower": elman.nn.RNN(size, size), "upper": elman.nn.RNN(2 * size, size)}
    inputs = {name: torch.randn(steps, batch, layer.input_size) for name, layer in layers.items()}
    for kind in KINDS:
        found = in_turns(kind, {name: call_of(kind, layer, inputs[name]) for name, layer in layers.items()})
        share = found["whole"] / (2 * found["lower"] + 2 * found["upper"])
        at = f"{steps},{batch},{size},{size}"
        yield Row.at_most(f"2 layers, 2 directions over parts, {kind}", at, share, "x", 1.05)


def doubles() -> Iterator[Row]:
    steps, batch, size = 100, 32, 128
    layers, x = pair(size, size, dtype=torch.float64), torch.randn(steps, batch, size, dtype=torch.float64)
    for kind in KINDS:
        found = beside(kind, layers, x)
        at = f"{steps},{batch},{size},{size}"
        yield Row.at_least(f"torch over ours in float64, {kind}", at, found["torch"] / found["elman"], 1.5)


def commands(epochs: int = 5) -> Iterator[Row]:
    """``elman train classify`` from start to end, for equally many epochs."""
    total = dict.fromkeys(("elman", "torch"), 0.0)
    names = ("chinese_genres_train.csv", "names_train.csv", "japanese_vowels_train.ts")
    for name in names:
        for engine in total:
            total[engine] += _train(DATA / name, engine, epochs)
    at = f"{len(names)} data sets, {epochs} epochs"
    yield Row.at_least("train classify --engine torch over ours", at, total["torch"] / total["elman"], 2)


def _train(file: Path, engine: str, epochs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "elman", "train", "classify", str(file), "--out", f"{folder}/model", "--epochs", str(epochs)]
        run = partial(subprocess.run, [sys.executable, *words, "--engine", engine], check=True, capture_output=True)
        return timeit.timeit(run, number=1)


Group = Callable[[], Iterator[Row]]


def groups_of(cell: str) -> dict[str, Group]:
    if cell == "rnn":
        each = calls, cold, cells, streams, threads, products, memory, packed, bidirectional, doubles, commands
        return {group.__name__: group for group in each}
    gated = gated_cells, gated_streams, gated_products, gated_memory, gated_packed
    return {group.__name__.removeprefix("gated_"): partial(group, FAMILIES[cell].title) for group in gated}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=FAMILIES, default="rnn")
    parser.add_argument("--only", choices=groups_of("rnn"), action="append")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    groups = groups_of(options.cell)
    rows: list[Row] = []
    for name, group in groups.items():
        for row in group() if name in (options.only or groups) else ():
            print(row, flush=True)
            rows.append(row)
    if options.json:
        results: dict[str, Any] = {"machine": describe(), "versions": versions(OURS)}
        results["rows"] = [row._asdict() for row in rows]
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
