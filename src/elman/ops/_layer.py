"""One recurrent layer, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.nn import Parameter

from elman import _engine, reference
from elman._gate import is_plain, nothing_intercepts

__all__ = ["BACKWARD", "FORWARD", "description_of", "layer", "opening", "require_as_saved", "step"]

NONLINEARITY = {"tanh": _engine.Nonlinearity.tanh, "relu": _engine.Nonlinearity.relu}
FORWARD = {torch.float32: _engine.forward_float32, torch.float64: _engine.forward_float64}
BACKWARD = {torch.float32: _engine.backward_float32, torch.float64: _engine.backward_float64}

Opening = tuple[_engine.Nonlinearity, int, int, int, int, bool, int, int, int, int]


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weights: Sequence[Tensor],
    *,
    nonlinearity: str,
    directions: int,
) -> tuple[Tensor, Tensor]:
    """One layer of an Elman network in one or two directions.

    Args:
        input: ``(steps, batch, input_size)`` of any strides, or packed ``(rows, input_size)``.
        batch_sizes: for packed input the rows of each step, ``(steps)``, int64, contiguous, never growing.
        h_0: ``(directions, batch, hidden_size)``; None counts as zeros.
        weights: for each direction ``weight_ih, weight_hh`` and, with biases, ``bias_ih, bias_hh``.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        directions: 1, or 2 for a reverse direction beside the forward one.

    Returns:
        The output ``(steps, batch, directions * hidden_size)``, or packed ``(rows, directions * hidden_size)``, and
        h_n ``(directions, batch, hidden_size)``.
    """
    if torch.is_grad_enabled() and (
        input.requires_grad
        or (h_0 is not None and h_0.requires_grad)
        or any(weight.requires_grad for weight in weights)
    ):
        return _Layer.apply(input, batch_sizes, h_0, nonlinearity, directions, *weights)  # type: ignore[no-any-return,no-untyped-call]
    return _forward(input, batch_sizes, h_0, weights, nonlinearity, directions)


def step(
    input: Tensor,
    h: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    *,
    nonlinearity: str,
) -> Tensor:
    """One step of one layer, without gradients: the state after ``input`` (batch, input_size) and ``h``.

    ``h`` is (batch, hidden_size), None for zeros. The shortest way to the engine, all arguments being contiguous.
    """
    batch, input_size = input.shape
    hidden_size = weight_hh.shape[0]
    state = input.new_empty((batch, hidden_size))
    FORWARD[input.dtype](
        NONLINEARITY[nonlinearity],
        torch.get_num_threads(),
        1,
        batch,
        0,
        False,
        input_size,
        hidden_size,
        weight_ih.data_ptr(),
        weight_hh.data_ptr(),
        0 if bias_ih is None else bias_ih.data_ptr(),
        0 if bias_hh is None else bias_hh.data_ptr(),
        input.data_ptr(),
        0,
        input_size,
        1,
        0 if h is None else h.data_ptr(),
        state.data_ptr(),
        0,
        hidden_size,
        0,
    )
    return state


def opening(
    nonlinearity: _engine.Nonlinearity,
    sequence: tuple[int, int, int],
    reverse: bool,
    sizes: tuple[int, int],
    weight_ih: Tensor | None,
    weight_hh: Tensor | None,
) -> Opening:
    """The arguments with which the engine's forward and backward functions begin.

    Args:
        nonlinearity: the engine's.
        sequence: steps, the batch, and the address of the batch sizes (0: padded).
        reverse: from the last step to the first.
        sizes: input_size and hidden_size.
        weight_ih: (hidden_size, input_size), contiguous; None where it is not read.
        weight_hh: (hidden_size, hidden_size), contiguous; None: no recurrent term.
    """
    threads = torch.get_num_threads()
    return nonlinearity, threads, *sequence, reverse, *sizes, _address(weight_ih), _address(weight_hh)


def _forward(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weights: Sequence[Tensor],
    nonlinearity: str,
    directions: int,
) -> tuple[Tensor, Tensor]:
    hidden_size = weights[0].shape[0]
    output = input.new_empty((*input.shape[:-1], directions * hidden_size))
    sequence, sizes = _sequence(input, batch_sizes), (input.shape[-1], hidden_size)
    h_n = input.new_empty((directions, sequence[1], hidden_size))
    if h_0 is not None:
        h_0 = h_0.contiguous()
    x, y = _rows(input), _rows(output)
    for direction, (weight_ih, weight_hh, bias_ih, bias_hh) in enumerate(_by_direction(weights, directions)):
        FORWARD[input.dtype](
            *opening(NONLINEARITY[nonlinearity], sequence, direction == 1, sizes, weight_ih, weight_hh),
            0 if bias_ih is None else bias_ih.data_ptr(),
            0 if bias_hh is None else bias_hh.data_ptr(),
            *x,
            _address(h_0, direction),
            _address(output, 0, direction * hidden_size),
            *y[1:3],
            _address(h_n, direction),
        )
    return output, h_n


def _backward(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weights: Sequence[Tensor],
    nonlinearity: str,
    directions: int,
    output: Tensor,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of input, h_0 and the weights, where ``needed`` says so; the others are None."""
    hidden_size = weights[0].shape[0]
    sequence, sizes = _sequence(input, batch_sizes), (input.shape[-1], hidden_size)
    d_input = input.new_empty(input.shape) if needed[0] else None
    d_h_0 = input.new_empty((directions, sequence[1], hidden_size)) if needed[1] else None
    h_0, d_h_n = (None if tensor is None else tensor.contiguous() for tensor in (h_0, d_h_n))
    x, y = _rows(input), _rows(output)
    dx = (0, 0, 0) if d_input is None else _rows(d_input)[:3]
    dy = (0, 0, 0, 0) if d_output is None else _rows(d_output)
    d_weights: list[Tensor | None] = []
    each = len(weights) // directions
    for direction, (weight_ih, weight_hh, _, _) in enumerate(_by_direction(weights, directions)):
        wanted = needed[2 + direction * each : 2 + (direction + 1) * each]
        d_weight_ih = torch.empty_like(weight_ih) if wanted[0] else None
        d_weight_hh = torch.empty_like(weight_hh) if wanted[1] else None
        d_bias = input.new_empty(hidden_size) if any(wanted[2:]) else None
        column = direction * hidden_size
        BACKWARD[input.dtype](
            *opening(NONLINEARITY[nonlinearity], sequence, direction == 1, sizes, weight_ih, weight_hh),
            *x,
            _address(h_0, direction),
            _address(output, 0, column),
            *y[1:3],
            0 if d_output is None else dy[0] + column * dy[3] * input.element_size(),
            *dy[1:],
            _address(d_h_n, direction),
            *dx,
            direction == 1,
            _address(d_h_0, direction),
            _address(d_weight_ih),
            _address(d_weight_hh),
            _address(d_bias),
        )
        d_weights += [d_weight_ih, d_weight_hh]
        if each == 4:
            d_weights.append(d_bias if wanted[2] else None)
            second = d_bias.clone() if d_bias is not None and wanted[2] else d_bias
            d_weights.append(second if wanted[3] else None)
    return [d_input, d_h_0, *d_weights]


def _sequence(input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
    """Steps, the batch, and the address of the batch sizes (0: padded)."""
    if batch_sizes is None:
        return input.shape[0], input.shape[1], 0
    return batch_sizes.shape[0], int(batch_sizes[0]), batch_sizes.data_ptr()


def _rows(tensor: Tensor) -> tuple[int, int, int, int]:
    """Address and strides of steps, rows and features of (steps, batch, features) or packed (rows, features)."""
    *step, row, feature = tensor.stride()
    return tensor.data_ptr(), step[0] if step else 0, row, feature


def _address(tensor: Tensor | None, index: int = 0, column: int = 0) -> int:
    """Address of ``tensor[index, ..., column]``, 0 for None."""
    if tensor is None:
        return 0
    elements = column if index == 0 else index * tensor.stride(0) + column
    return tensor.data_ptr() + elements * tensor.element_size()


def _by_direction(
    weights: Sequence[Tensor], directions: int
) -> list[tuple[Tensor, Tensor, Tensor | None, Tensor | None]]:
    each = len(weights) // directions
    contiguous = [weight.contiguous() for weight in weights]
    return [
        (*contiguous[first : first + each], *(None,) * (4 - each))  # type: ignore[misc]
        for first in range(0, len(weights), each)
    ]


class _Layer(torch.autograd.Function):
    """Saves the output alone besides what it was given: f' is read off h_t.

    PyTorch's layer lets its user write to the output, and to the biases, before the backward pass. So does this one:
    it saves the output without the check for writes, keeps count of them, and computes the output again, to the same
    bits, if there were any.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        batch_sizes: Tensor | None,
        h_0: Tensor | None,
        nonlinearity: str,
        directions: int,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        output, h_n = _forward(input, batch_sizes, h_0, weights, nonlinearity, directions)
        matrices = [weight for weight in weights if weight.dim() == 2]
        saved = (input, h_0, output.data, *matrices)
        ctx.save_for_backward(*saved)
        ctx.saved_as = [description_of(tensor) for tensor in saved]
        ctx.biases = [weight for weight in weights if weight.dim() == 1]
        ctx.bias_versions = [bias._version for bias in ctx.biases]
        ctx.writes = _Writes(output)
        ctx.batch_sizes = None if batch_sizes is None else batch_sizes.clone()  # what is checked stays as it was
        ctx.nonlinearity, ctx.directions = nonlinearity, directions
        ctx.set_materialize_grads(False)
        return output, h_n

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, d_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # once: checkpointing allows no second reading
        input, h_0, output, *matrices = saved
        needed = (ctx.needs_input_grad[0], ctx.needs_input_grad[2], *ctx.needs_input_grad[5:])
        gradients = [gradient for gradient in (d_output, d_h_n) if gradient is not None]
        if not gradients:
            return (None,) * len(ctx.needs_input_grad)
        for tensor, description in zip(saved, ctx.saved_as, strict=True):
            require_as_saved(tensor, description)
        weights = _interleaved(matrices, ctx.biases, ctx.directions)
        arguments = (input, ctx.batch_sizes, h_0, weights, ctx.nonlinearity, ctx.directions)
        plain = (
            nothing_intercepts()
            and not any(map(is_legacy_batchedtensor, gradients))
            and all(is_plain(tensor) for tensor in (*gradients, *saved) if tensor is not None)
        )
        differentiable = torch.is_grad_enabled() or not plain
        if (differentiable or ctx.writes) and ctx.bias_versions != [bias._version for bias in ctx.biases]:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                "a bias, which the output is computed from again"
            )
        if differentiable:
            computed = _differentiable_backward(*arguments, d_output, d_h_n, needed)
        else:
            if ctx.writes:
                output, _ = _forward(*arguments)
            computed = _backward(*arguments, output.contiguous(), d_output, d_h_n, needed)
        d_input, d_h_0, *d_weights = computed
        return d_input, None, d_h_0, None, None, *d_weights


def description_of(tensor: Tensor | None) -> tuple[torch.Size, torch.dtype, int] | None:
    return None if tensor is None else (tensor.shape, tensor.dtype, tensor.data_ptr())


def require_as_saved(tensor: Tensor | None, description: tuple[torch.Size, torch.dtype, int] | None) -> None:
    """Refuses a parameter that was given other data, which no version counter sees, and a hook's other tensor."""
    if tensor is None or description is None:
        return
    shape, dtype, address = description
    replaced = type(tensor) is Parameter and is_plain(tensor) and tensor.data_ptr() != address
    if replaced or tensor.shape != shape or tensor.dtype is not dtype:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been given other data since the forward pass: "
            f"expected the {dtype} tensor of shape {list(shape)} that was saved, got {tensor.dtype} of shape "
            f"{list(tensor.shape)}"
        )


class _Writes:
    """True once ``tensor``, or a view of it, has been written to. Holds none of its memory."""

    def __init__(self, tensor: Tensor) -> None:
        # a detached tensor shares the version counter, and keeps it when it is given other data
        self.alias = tensor.detach()
        self.alias.data = tensor.new_empty(0)
        self.version = tensor._version

    def __bool__(self) -> bool:
        return self.alias._version != self.version


def _interleaved(matrices: Sequence[Tensor], biases: Sequence[Tensor], directions: int) -> list[Tensor]:
    """The weights of :func:`layer`, from their matrices and biases."""
    weights: list[Tensor] = []
    for pair in range(0, len(matrices), 2):
        weights += [*matrices[pair : pair + 2], *biases[pair : pair + 2]]
    return weights


def _differentiable_backward(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weights: Sequence[Tensor],
    nonlinearity: str,
    directions: int,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """What :func:`_backward` computes, by operations that PyTorch can differentiate again."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # aliases, lest a tensor that is passed twice gets the gradient of both its uses twice
        aliases: list[Any] = [None if tensor is None else tensor.view_as(tensor) for tensor in (input, h_0, *weights)]
        x, h, *parameters = aliases
        outputs, states = [], []
        for direction, of_direction in enumerate(_by_direction(parameters, directions)):
            output, h_n = reference.layer(
                x,
                batch_sizes,
                None if h is None else h[direction],
                *of_direction,
                nonlinearity=nonlinearity,
                reverse=direction == 1,
            )
            outputs.append(output)
            states.append(h_n)
        results = [(torch.cat(outputs, -1), d_output), (torch.stack(states), d_h_n)]
        results = [(result, gradient) for result, gradient in results if gradient is not None]
        gradients = torch.autograd.grad(
            [result for result, _ in results],
            [tensor for tensor, need in zip(aliases, needed, strict=True) if need],
            [gradient for _, gradient in results],
            create_graph=create_graph,
            allow_unused=True,
        )
    remaining = iter(gradients)
    return [next(remaining) if need else None for need in needed]
