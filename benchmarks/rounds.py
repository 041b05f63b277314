"""Layers in one process, in turns: what scaling.py and targets.py measure with."""

import timeit
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch.nn.utils.rnn import PackedSequence

import elman.nn
from elman.bench._settling import settle

__all__ = ["KINDS", "Call", "Input", "beside", "by_threads", "call_of", "in_turns", "pair"]

KINDS = ("inference", "training")
Call = Callable[[], object]
Key = TypeVar("Key")
Input = torch.Tensor | PackedSequence
ROUNDS, SECONDS = 11, 0.02  # of each call; of a round
LONG, LEAST, MOST = 0.5, 2, 3.0  # seconds of a call that is a round itself; rounds; seconds of all rounds


def in_turns(
    kind: str, calls: Mapping[Key, Call], begin: Callable[[Key], object] = lambda key: None
) -> dict[Key, float]:
    """Return the microseconds of a call in the best round; no thread spins through another's round.

    Args:
        kind: of work; the inference mode is entered once, as programs do.
        calls: each by a name.
        begin: what is done with a name before each of its rounds.
    """
    with torch.inference_mode(kind == "inference"):
        return _in_turns(calls, begin)


def _in_turns(calls: Mapping[Key, Call], begin: Callable[[Key], object]) -> dict[Key, float]:
    best: dict[Key, float] = {}
    spent = dict.fromkeys(calls, 0.0)
    for done in range(ROUNDS):
        for key, call in calls.items():
            if done < LEAST or spent[key] < MOST:
                begin(key)
                timer = timeit.Timer(call)
                taken = timer.timeit(1)
                number = 1
                if taken < LONG:  # it only was to be warm again
                    number = max(1, int(SECONDS / min(taken, best.get(key, taken))))
                    taken = timer.timeit(number) / number
                spent[key] += taken * number
                best[key] = min(taken, best.get(key, taken))
                settle()
    return {key: value * 1e6 for key, value in best.items()}


def pair(*sizes: int, title: str = "RNN", **options: Any) -> dict[str, torch.nn.RNNBase]:
    """Return our layer of this name and PyTorch's, with the same weights."""
    ours, theirs = (getattr(nn, title)(*sizes, **options) for nn in (elman.nn, torch.nn))
    ours.load_state_dict(theirs.state_dict())
    return {"elman": ours, "torch": theirs}


def beside(
    kind: str, layers: Mapping[str, torch.nn.Module], x: Input, threads: tuple[int, ...] = (1, 2)
) -> dict[str, float]:
    """Return the microseconds of each layer over the same input, on its better number of threads."""
    found = by_threads(kind, layers, x, threads)
    return {name: min(found[name, number] for number in threads) for name in layers}


def by_threads(
    kind: str, layers: Mapping[str, torch.nn.Module], x: Input, threads: tuple[int, ...]
) -> dict[tuple[str, int], float]:
    """Return the microseconds of each layer over the same input, on each number of threads."""
    usual = torch.get_num_threads()
    calls: dict[tuple[str, int], Call] = {}
    for name, layer in layers.items():
        call = call_of(kind, layer, x)
        calls |= {(name, number): call for number in threads}
    found = in_turns(kind, calls, lambda key: torch.set_num_threads(key[1]))
    torch.set_num_threads(usual)
    return found


def call_of(kind: str, layer: torch.nn.Module, x: Input) -> Call:
    """Return a call of the layer; in training with backward and the gradients of the input and all parameters."""
    if kind == "inference":
        return partial(layer, x)
    leaf = _values(x).detach().requires_grad_()
    given = x._replace(data=leaf) if isinstance(x, PackedSequence) else leaf
    d_output = torch.randn_like(_values(layer(given)[0]))

    def train() -> object:
        output = _values(layer(given)[0])
        return torch.autograd.grad(output, [leaf, *layer.parameters()], d_output)

    return train


def _values(x: Input) -> torch.Tensor:
    return x.data if isinstance(x, PackedSequence) else x
