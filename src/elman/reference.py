"""The equations of one recurrent layer and direction in plain PyTorch operations.

This is the specification: what the engine computes faster, what the tests compare it with, and what
runs where second derivatives are wanted. Forward and backward stand side by side::

    a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh        h_t = f(a_t)        f = tanh or relu

    d_t = (g_t + W_hh^T d_{t+1}) * f'(a_t)             g_t = dL/dh_t from outside
    dx_t = W_ih^T d_t                                  dh_0 = W_hh^T d_1
    dW_ih = sum_t d_t x_t^T                            dW_hh = sum_t d_t h_{t-1}^T
    db_ih = db_hh = sum_t d_t

Padded and packed input are one case: step t holds the rows that still run, and a packed batch is sorted,
so that they are its first ``batch_sizes[t]`` rows.

Sources: J. L. Elman, "Finding structure in time" (1990); the page of ``torch.nn.RNN``.
"""

from collections.abc import Sequence

from elman._extras import TORCH

with TORCH.needed_by(__name__):
    import torch
    from torch import Tensor
    from torch.nn.functional import linear

__all__ = ["layer", "layer_backward"]


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    *,
    nonlinearity: str,
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    """Run one layer in one direction over its input.

    Args:
        input: (steps, batch, input_size), or packed (total_rows, input_size).
        batch_sizes: ``None``, or the rows of each step of packed input, int64 on the CPU, never growing.
        h_0: (batch, hidden_size); ``None`` counts as zeros.
        weight_ih: (hidden_size, input_size).
        weight_hh: (hidden_size, hidden_size).
        bias_ih: (hidden_size,) or ``None``.
        bias_hh: (hidden_size,) or ``None``.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        reverse: whether to start at the last step.

    Returns:
        ``output``, shaped as the input with hidden_size in place of input_size, and ``h_n``
        (batch, hidden_size): each row's state at its own last step in this direction.
    """
    f = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    inputs = _steps(input, batch_sizes)
    h = _initial_state(h_0, inputs, weight_hh)
    outputs = []
    for x_t in _in_order(inputs, reverse):
        rows = x_t.shape[0]
        h_t = f(linear(x_t, weight_ih, bias_ih) + linear(h[:rows], weight_hh, bias_hh))
        h = torch.cat([h_t, h[rows:]])
        outputs.append(h_t)
    return _joined(_in_order(outputs, reverse), batch_sizes), h


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
    nonlinearity: str,
    reverse: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Backpropagate through time, from the output alone: f' is read off h_t.

    Args:
        d_output: dL/d(output), shaped as ``output``.
        d_h_n: dL/d(h_n), (batch, hidden_size).
        output: what :func:`layer` returned.
        input, batch_sizes, h_0, weight_ih, weight_hh, nonlinearity, reverse: what it was given.

    Returns:
        ``d_input``, ``d_h_0``, ``d_weight_ih``, ``d_weight_hh``, each shaped as what it is the gradient of,
        and ``d_bias`` (hidden_size,), which is the gradient of either bias.
    """
    inputs, outputs, d_outputs = (_steps(x, batch_sizes) for x in (input, output, d_output))

    previous = []  # h_{t-1} of each step's rows, in the direction's order
    h = _initial_state(h_0, inputs, weight_hh)
    for h_t in _in_order(outputs, reverse):
        rows = h_t.shape[0]
        previous.append(h[:rows])
        h = torch.cat([h_t, h[rows:]])

    d_as = []  # d_t of each step, from the direction's last to its first
    d_h = d_h_n  # W_hh^T d_{t+1}; of rows whose last step is still to come, dL/dh_n
    for h_t, g_t in zip(_in_order(outputs, not reverse), _in_order(d_outputs, not reverse), strict=True):
        rows = h_t.shape[0]
        d_h_t = g_t + d_h[:rows]
        d_t = d_h_t * (1 - h_t * h_t) if nonlinearity == "tanh" else d_h_t.masked_fill(h_t <= 0, 0)
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


def _in_order(steps: Sequence[Tensor], reverse: bool) -> list[Tensor]:
    """From time's order to a direction's, or back."""
    return list(reversed(steps)) if reverse else list(steps)


def _initial_state(h_0: Tensor | None, inputs: Sequence[Tensor], weight_hh: Tensor) -> Tensor:
    return inputs[0].new_zeros(inputs[0].shape[0], weight_hh.shape[0]) if h_0 is None else h_0
