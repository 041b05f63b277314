"""Times the runtime, which needs no PyTorch, beside PyTorch: single steps, short calls, and starting up.

Contenders hold the same weights and their results are compared before anything is timed; they take turns in short
rounds. Shown are the best round and, in brackets, the median, in microseconds a call.

    python benchmarks/runtime.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import elman
from elman import _engine

Call = Callable[[], object]
SIZES = [(4, 6), (16, 32), (64, 64), (128, 256)]
ROUNDS, SECONDS = 30, 0.01
MODEL = Path(__file__).parents[1] / "tests/models/version_1"


def alternate(calls: dict[str, Call]) -> dict[str, tuple[float, float]]:
    """The best round and the median, in microseconds a call."""
    timers = {name: timeit.Timer(call) for name, call in calls.items()}
    numbers = {name: max(1, int(SECONDS / (timer.timeit(200) / 200))) for name, timer in timers.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            times[name].append(timer.timeit(numbers[name]) / numbers[name] * 1e6)
    return {name: (min(taken), statistics.median(taken)) for name, taken in times.items()}


def show(what: str, times: dict[str, tuple[float, float]]) -> None:
    for name, (best, median) in times.items():
        print(f"{what:>22}  {name:<28} {best:8.2f} ({median:8.2f})")


def single_steps(input_size: int, hidden_size: int) -> None:
    """One step, batch 1."""
    cell = torch.nn.RNNCell(input_size, hidden_size)
    rnn = elman.runtime.RNN(cell.state_dict())
    stream, x = rnn.stream(), np.random.default_rng(0).standard_normal(input_size).astype("f")
    out, tensor, state = np.empty(hidden_size, "f"), torch.from_numpy(x)[None], torch.zeros(1, hidden_size)
    np.testing.assert_allclose(stream.step(x), cell(tensor, state)[0].detach(), atol=1e-5)
    with torch.inference_mode():
        calls: dict[str, Call] = {
            "stream.step(x, out)": lambda: stream.step(x, out),
            "stream.step(x)": lambda: stream.step(x),
            "torch.nn.RNNCell": lambda: cell(tensor, state),
        }
        show(f"step {input_size},{hidden_size}", alternate(calls))


def short_calls(steps: int, batch: int, input_size: int, hidden_size: int) -> None:
    """Whole sequences."""
    layer = torch.nn.RNN(input_size, hidden_size)
    rnn = elman.runtime.RNN(layer.state_dict())
    x = np.random.default_rng(0).standard_normal((steps, batch, input_size)).astype("f")
    tensor = torch.from_numpy(x)
    np.testing.assert_allclose(rnn(x)[0], layer(tensor)[0].detach(), atol=1e-5)
    with torch.inference_mode():
        calls: dict[str, Call] = {"elman.runtime.RNN": lambda: rnn(x), "torch.nn.RNN": lambda: layer(tensor)}
        show(f"{steps},{batch},{input_size},{hidden_size}", alternate(calls))


def seconds_of(*words: str, cwd: str) -> float:
    """The wall time of a process, best of ten."""
    command = lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=cwd)  # noqa: E731
    return min(timeit.repeat(command, number=1, repeat=10))


def starting_up() -> None:
    """Processes from their start to their end, and the size of the package."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lines.txt").write_text("学而时习之，不亦说乎？\n", encoding="utf-8")
        numpy = seconds_of(sys.executable, "-c", "import numpy", cwd=folder)
        package = seconds_of(sys.executable, "-c", "import numpy, elman; elman.runtime", cwd=folder)
        predict = seconds_of(sys.executable, "-m", "elman", "predict", str(MODEL), "lines.txt", cwd=folder)
    beyond, before = (package - numpy) * 1e3, numpy * 1e3
    print(f"import elman and elman.runtime: {beyond:.0f} ms beyond NumPy's {before:.0f} ms (with Python itself)")
    print(f"elman predict of one line: {predict:.2f} s from start to end")
    parts = [Path(elman.__file__).parent, Path(_engine.__file__)]
    files = [part for part in parts if part.is_file()] + [path for path in parts[0].rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in {*files} if path.suffix != ".pyc")
    print(f"package: {size / 1e6:.2f} MB")


def main() -> None:
    torch.set_num_threads(1)
    print(f"instruction set {_engine.instruction_set()}, torch {torch.__version__}, one thread, microseconds a call")
    for sizes in SIZES:
        single_steps(*sizes)
    for shape in ((3, 1, 2, 4), (100, 1, 32, 64), (100, 32, 64, 64)):
        short_calls(*shape)
    starting_up()


if __name__ == "__main__":
    main()
