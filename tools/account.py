"""Where the time of a layer's call goes, in microseconds, beside the least that the machine's own product would take.

Run by tools/account.sh, whose build of the engine keeps the account of the calling thread. The share of tanh is the
difference to a call with relu; what the engine does not account for is Python, the binding, making the results, and
waiting for other threads.
"""

import argparse
import time
from collections.abc import Callable

import torch

import elman.nn
from elman import _engine

Account = dict[str, float]


def rate() -> float:
    """Multiplications and additions a second of torch's matrix product."""
    a, b = torch.randn(2, 1024, 1024)
    return 2 * 1024**3 / min(timed(lambda: a @ b) for _ in range(50))


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def account(call: Callable[[], object], rounds: int) -> Account:
    """Of the fastest of many calls."""
    best: Account = {"whole call": float("inf")}
    for _ in range(rounds):
        _engine.take_account()
        whole = timed(call) * 1e6
        if whole < best["whole call"]:
            phases = {phase: nanoseconds / 1e3 for phase, nanoseconds in _engine.take_account().items()}
            best = {"whole call": whole, **phases}
    best["Python, results, waiting"] = 2 * best["whole call"] - sum(best.values())
    return best


def show(title: str, parts: Account, limit: float) -> None:
    print(title)
    for part, microseconds in parts.items():
        if microseconds:
            print(f"  {part:26} {microseconds:10.1f} {100 * microseconds / parts['whole call']:6.1f} %")
    print(f"  {'limit':26} {limit:10.1f} {100 * limit / parts['whole call']:6.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="+", metavar="STEPS,BATCH,INPUT,HIDDEN")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    best_rate = rate()
    print(f"instruction set {_engine.instruction_set()}, {options.threads} threads, ", end="")
    print(f"torch's matrix product {best_rate / 1e9:.0f} Gflop/s")
    for shape in options.shapes:
        steps, batch, input_size, hidden_size = map(int, shape.split(","))
        layer = elman.nn.RNN(input_size, hidden_size)
        relu = elman.nn.RNN(input_size, hidden_size, nonlinearity="relu")
        x = torch.randn(steps, batch, input_size)
        leaf, d_output = x.clone().requires_grad_(), torch.randn(steps, batch, hidden_size)
        limit = 2e6 * steps * batch * hidden_size * (input_size + hidden_size) / best_rate

        with torch.inference_mode():
            inference = account(lambda: layer(x), options.rounds)  # noqa: B023
            plain = account(lambda: relu(x), options.rounds)  # noqa: B023
        inference["of the steps, tanh"] = inference["recurrent steps"] - plain["recurrent steps"]
        show(f"{shape} inference", inference, limit)

        def train() -> None:
            layer.zero_grad()  # noqa: B023
            leaf.grad = None  # noqa: B023
            torch.autograd.backward(layer(leaf)[0], d_output)  # noqa: B023

        show(f"{shape} training", account(train, options.rounds), 3 * limit)


if __name__ == "__main__":
    main()
