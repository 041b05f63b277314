"""The equations of one recurrent layer and direction in plain PyTorch operations.

This is the specification: what the engine computes faster, what the tests compare it with, and what
runs where second derivatives are wanted. Forward and backward stand side by side::

    a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh        h_t = f(a_t)        f = tanh or relu

    d_t = (g_t + W_hh^T d_{t+1}) * f'(a_t)             g_t = dL/dh_t from outside
    dx_t = W_ih^T d_t                                  dh_0 = W_hh^T d_1
    dW_ih = sum_t d_t x_t^T                            dW_hh = sum_t d_t h_{t-1}^T
    db_ih = db_hh = sum_t d_t

A cell with gates takes ``u = W_ih x_t + b_ih`` and ``v = W_hh h_{t-1} + b_hh`` of every gate::

    GRU     r = sigma(u_r + v_r)    z = sigma(u_z + v_z)    n = tanh(u_n + r v_n)    h_t = n + z (h_{t-1} - n)
    LSTM    i, f, o = sigma(u + v)    g = tanh(u_g + v_g)    c_t = f c_{t-1} + i g    h_t = o tanh(c_t)

Padded and packed input are one case: step t holds the rows that still run, and a packed batch is sorted,
so that they are its first ``batch_sizes[t]`` rows.

Sources: J. L. Elman, "Finding structure in time" (1990); K. Cho et al., "Learning phrase representations using RNN
encoder-decoder" (2014); S. Hochreiter and J. Schmidhuber, "Long short-term memory" (1997); F. Gers et al., "Learning to
forget" (2000); the pages of ``torch.nn.RNN``, ``GRU`` and ``LSTM``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from elman._extras import TORCH

with TORCH.needed_by(__name__):
    import torch
    from torch import Tensor
    from torch.nn.functional import linear

_T = TypeVar("_T")

__all__ = ["CELLS", "elman_step", "gru_step", "layer", "layer_backward", "lstm_step", "unroll"]


def elman_step(u: Tensor, v: Tensor, h: Tensor, *, f: Callable[[Tensor], Tensor] = torch.tanh) -> tuple[Tensor]:
    """An Elman network's h_t from u, v and h_{t-1} (rows, hidden_size)."""
    return (f(u + v),)


def gru_step(u: Tensor, v: Tensor, h: Tensor) -> tuple[Tensor]:
    """A GRU's h_t from u and v (rows, 3 hidden_size) and h_{t-1} (rows, hidden_size)."""
    (u_r, u_z, u_n), (v_r, v_z, v_n) = u.chunk(3, 1), v.chunk(3, 1)
    r, z = torch.sigmoid(u_r + v_r), torch.sigmoid(u_z + v_z)
    n = torch.tanh(u_n + r * v_n)
    return (n + z * (h - n),)


def lstm_step(u: Tensor, v: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """An LSTM's h_t and c_t from u and v (rows, 4 hidden_size), h_{t-1} and c_{t-1} (rows, hidden_size)."""
    i, f, g, o = (u + v).chunk(4, 1)
    c_t = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c_t), c_t


#: From u, v and the states before to those after: of every cell of the engine by its name there.
CELLS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "tanh": elman_step,
    "relu": partial(elman_step, f=torch.relu),
    "gru": gru_step,
    "lstm": lstm_step,
}


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    *,
    cell: str,
    reverse: bool,
    every_c: bool = False,
) -> tuple[Tensor, ...]:
    """Run one layer in one direction over its input. Its gradients are autograd's.

    Args:
        input: (steps, batch, input_size), or packed (total_rows, input_size).
        batch_sizes: ``None``, or the rows of each step of packed input, int64 on the CPU, never growing.
        h_0: (batch, hidden_size); ``None`` counts as zeros.
        c_0: of an LSTM the same; of other cells ``None``.
        weight_ih: (gates * hidden_size, input_size), gates in PyTorch's order.
        weight_hh: (gates * hidden_size, hidden_size).
        bias_ih: (gates * hidden_size,) or ``None``.
        bias_hh: (gates * hidden_size,) or ``None``.
        cell: ``"tanh"``, ``"relu"``, ``"gru"`` or ``"lstm"``.
        reverse: whether to start at the last step.
        every_c: of an LSTM, return all its cell states.

    Returns:
        ``output``, shaped as the input with hidden_size in place of input_size, ``h_n`` (batch, hidden_size): each
        row's state at its own last step in this direction, of an LSTM ``c_n``, shaped as ``h_n``, and with
        ``every_c`` the c_t of every step, shaped as ``output``.
    """
    given = (h_0, c_0) if cell == "lstm" else (h_0,)
    (output, *cells), states = unroll(
        CELLS[cell],
        input,
        batch_sizes,
        given,
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
        reverse=reverse,
        units=weight_hh.shape[1],
    )
    return output, *states, *(cells if every_c else ())


def unroll(
    step: Callable[..., tuple[Tensor, ...]],
    input: Tensor,
    batch_sizes: Tensor | None,
    initial_states: Sequence[Tensor | None],
    weight_ih: Tensor,
    weight_hh: Tensor | None,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    *,
    reverse: bool,
    units: int,
    step_inputs: Sequence[Tensor] = (),
    fed_back: int = 0,
) -> tuple[list[Tensor], list[Tensor]]:
    """Take one step after another, of any cell: what :func:`layer` is made of.

    Args:
        step: from u, v, the states before and what ``step_inputs`` have at this step to the states after.
        input, batch_sizes, weight_ih, bias_ih, bias_hh, reverse: as :func:`layer`'s.
        initial_states: (batch, hidden_size) each; ``None`` counts as zeros.
        weight_hh: as :func:`layer`'s; ``None`` of a cell that feeds nothing back: then v is zeros.
        units: hidden_size.
        step_inputs: arrays that lie as the input does.
        fed_back: which of the states ``weight_hh`` multiplies.

    Returns:
        The states after every step, each shaped as the output, and each row's last ones, (batch, hidden_size).
    """
    inputs = [_steps(x, batch_sizes) for x in (input, *step_inputs)]
    states = [_initial_state(state, inputs[0], units) for state in initial_states]
    outputs: list[tuple[Tensor, ...]] = []
    for x_t, *others in _in_order([*zip(*inputs, strict=True)], reverse):
        rows = x_t.shape[0]
        before = [state[:rows] for state in states]
        u = linear(x_t, weight_ih, bias_ih)
        v = torch.zeros_like(u) if weight_hh is None else linear(before[fed_back], weight_hh, bias_hh)
        after = step(u, v, *before, *others)
        states = [torch.cat([new, old[rows:]]) for new, old in zip(after, states, strict=True)]
        outputs.append(after)
    every = [_joined(_in_order(of_steps, reverse), batch_sizes) for of_steps in zip(*outputs, strict=True)]
    return every, states


def layer_backward(
    d_output: Tensor,
    d_h_n: Tensor,
    output: Tensor,
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    *,
    cell: str,
    reverse: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Backpropagate through time in an Elman network, from the output alone: f' is read off h_t.

    Args:
        d_output: dL/d(output), shaped as ``output``.
        d_h_n: dL/d(h_n), (batch, hidden_size).
        output: what :func:`layer` returned.
        input, batch_sizes, h_0, weight_ih, weight_hh, cell, reverse: what it was given.

    Returns:
        ``d_input``, ``d_h_0``, ``d_weight_ih``, ``d_weight_hh``, each shaped as what it is the gradient of,
        and ``d_bias`` (hidden_size,), which is the gradient of either bias.
    """
    inputs, outputs, d_outputs = (_steps(x, batch_sizes) for x in (input, output, d_output))

    previous = []  # h_{t-1} of each step's rows, in the direction's order
    h = _initial_state(h_0, inputs, weight_hh.shape[1])
    for h_t in _in_order(outputs, reverse):
        rows = h_t.shape[0]
        previous.append(h[:rows])
        h = torch.cat([h_t, h[rows:]])

    d_as = []  # d_t of each step, from the direction's last to its first
    d_h = d_h_n  # W_hh^T d_{t+1}; of rows whose last step is still to come, dL/dh_n
    for h_t, g_t in zip(_in_order(outputs, not reverse), _in_order(d_outputs, not reverse), strict=True):
        rows = h_t.shape[0]
        d_h_t = g_t + d_h[:rows]
        d_t = d_h_t * (1 - h_t * h_t) if cell == "tanh" else d_h_t.masked_fill(h_t <= 0, 0)
        d_h = torch.cat([d_t @ weight_hh, d_h[rows:]])
        d_as.append(d_t)

    d_a = torch.cat(_in_order(d_as, not reverse))  # (total_rows, hidden_size), steps in order of time
    h_before = torch.cat(_in_order(previous, reverse))
    d_input = (d_a @ weight_ih).view(input.shape)
    d_weight_ih = d_a.T @ input.reshape(-1, weight_ih.shape[1])
    return d_input, d_h, d_weight_ih, d_a.T @ h_before, d_a.sum(0)


def _steps(x: Tensor, batch_sizes: Tensor | None) -> Sequence[Tensor]:
    """The rows (rows, features) of each step, in order of time."""
    return x.unbind() if batch_sizes is None else torch.split(x, batch_sizes.tolist())


def _joined(steps: Sequence[Tensor], batch_sizes: Tensor | None) -> Tensor:
    """The inverse of :func:`_steps`."""
    return torch.stack(list(steps)) if batch_sizes is None else torch.cat(list(steps))


def _in_order(steps: Sequence[_T], reverse: bool) -> list[_T]:
    """From time's order to a direction's, or back."""
    return list(reversed(steps)) if reverse else list(steps)


def _initial_state(h_0: Tensor | None, inputs: Sequence[Tensor], units: int) -> Tensor:
    return inputs[0].new_zeros(inputs[0].shape[0], units) if h_0 is None else h_0
