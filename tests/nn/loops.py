"""What a layer with any of its arguments computes, by a plain loop over sequences, layers, directions and steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Expected", "by_loops"]


@dataclass
class Expected:
    """Of each sequence apart."""

    output: list[Tensor]  # (its steps, features)
    final: list[list[list[Tensor]]]  # by layer and direction: h, of an LSTM c too
    states: list[list[list[Tensor]]]  # by layer: h, of an LSTM c too (its steps, directions * width)


def tanh(u: Tensor, v: Tensor, h: Tensor) -> list[Tensor]:
    return [(u + v).tanh()]


def relu(u: Tensor, v: Tensor, h: Tensor) -> list[Tensor]:
    return [(u + v).relu()]


def gru(u: Tensor, v: Tensor, h: Tensor) -> list[Tensor]:
    (u_r, u_z, u_n), (v_r, v_z, v_n) = u.chunk(3), v.chunk(3)
    r, z = (u_r + v_r).sigmoid(), (u_z + v_z).sigmoid()
    n = (u_n + r * v_n).tanh()
    return [(1 - z) * n + z * h]


def lstm(u: Tensor, v: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
    i, f, g, o = (u + v).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return [o.sigmoid() * c.tanh(), c]


STEPS: dict[str, Callable[..., list[Tensor]]] = {"RNN_TANH": tanh, "RNN_RELU": relu, "GRU": gru, "LSTM": lstm}


def by_loops(
    layer: Any, sequences: list[Tensor], given: list[list[list[Tensor]]] | None, resets: list[list[bool]] | None
) -> Expected:
    """Everything that ``layer`` says of these sequences (steps, input_size).

    ``given`` are the initial states of each sequence, by layer and direction; an element dropped out is a zero:
    ``dropout`` may be 0 or 1.
    """
    expected = Expected([], [], [])
    for row, sequence in enumerate(sequences):
        flags = resets[row] if resets else [False] * len(sequence)
        x, final, states = [*sequence], [], []
        for index in range(layer.num_layers):
            if index and layer.dropout and layer.training:
                x = [torch.zeros_like(x_t) for x_t in x]
            of_directions = []
            for direction in range(1 + layer.bidirectional):
                before = None if given is None else given[row][len(final)]
                of_directions.append(one_direction(layer, index, direction, x, before, flags))
                final.append(of_directions[-1][-1])
            steps = [
                [torch.cat([steps[t][kind] for steps in of_directions]) for t in range(len(x))]
                for kind in range(len(final[-1]))
            ]
            states.append([torch.stack(of_kind) if of_kind else sequence.new_zeros(0) for of_kind in steps])
            adds = index and layer.residual and x and steps[0][0].shape == x[0].shape
            x = [h_t + x_t for h_t, x_t in zip(steps[0], x, strict=True)] if adds else steps[0]
        expected.output.append(torch.stack(x) if x else sequence.new_zeros(0))
        expected.final.append(final)
        expected.states.append(states)
    return expected


def one_direction(
    layer: Any, index: int, direction: int, x: list[Tensor], given: list[Tensor] | None, flags: list[bool]
) -> list[list[Tensor]]:
    """The states after each step, in order of time, and behind them the final ones."""
    suffix = f"l{index}" + "_reverse" * direction
    weight_ih, weight_hh = getattr(layer, f"weight_ih_{suffix}"), getattr(layer, f"weight_hh_{suffix}")
    bias_ih, bias_hh = (getattr(layer, f"{name}_{suffix}") if layer.bias else 0 for name in ("bias_ih", "bias_hh"))
    kinds = "hc" if layer.mode == "LSTM" else "h"
    if layer.learn_initial_state:
        fresh = [getattr(layer, f"{kind}_0_{suffix}") for kind in kinds]
    else:
        fresh = [torch.zeros(weight_hh.shape[1], dtype=weight_hh.dtype)] * len(kinds)
    state = fresh if given is None else given
    states = []
    for x_t, flag in [*zip(x, flags, strict=False)][:: -1 if direction else 1]:
        state = fresh if flag else state
        u, v = weight_ih @ x_t + bias_ih, weight_hh @ state[0] + bias_hh
        state = STEPS[layer.mode](u, v, *state)
        states.append(state)
    return [*states[:: -1 if direction else 1], state]
