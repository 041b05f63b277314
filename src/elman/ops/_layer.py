"""One recurrent layer, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from elman import _engine, reference
from elman._gate import is_plain, nothing_intercepts

__all__ = ["are_plain_as_saved", "layer"]

NONLINEARITY = {"tanh": _engine.Nonlinearity.tanh, "relu": _engine.Nonlinearity.relu}

_forward: Any = _engine.forward
_backward: Any = _engine.backward
# Of _engine.describe: 2 is DLPack's code of floats, 32 the bits.
_KIND_OF_FLOAT32 = 2032


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weights: Sequence[Tensor],
    hidden_size: int,
    nonlinearity: str,
    directions: int,
) -> tuple[Tensor, Tensor]:
    """One layer of an Elman network in one or two directions.

    Args:
        input: ``(steps, batch, input_size)`` of any strides, packed ``(rows, input_size)``, or one step
            ``(batch, input_size)``.
        batch_sizes: for packed input the rows of each step, ``(steps)``, int64, contiguous, never growing.
        h_0: ``(directions, batch, hidden_size)``, for one step ``(batch, hidden_size)``; None counts as zeros.
        weights: for each direction ``weight_ih, weight_hh`` and, with biases, ``bias_ih, bias_hh``.
        hidden_size: that of the weights.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        directions: 1, or 2 for a reverse direction beside the forward one.

    Returns:
        The output, shaped as the input with ``directions * hidden_size`` features, and h_n
        ``(directions, batch, hidden_size)``; None instead after one step, whose output it is.
    """
    if torch.is_grad_enabled() and (
        input.requires_grad
        or (h_0 is not None and h_0.requires_grad)
        or any(weight.requires_grad for weight in weights)
    ):
        return _apply(input, batch_sizes, h_0, hidden_size, nonlinearity, directions, *weights)  # type: ignore[no-any-return]
    f, threads = NONLINEARITY[nonlinearity], torch.get_num_threads()
    return _forward(f, threads, directions, input, h_0, batch_sizes, weights, hidden_size)  # type: ignore[no-any-return]


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
        hidden_size: int,
        nonlinearity: str,
        directions: int,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        f, threads = NONLINEARITY[nonlinearity], torch.get_num_threads()
        output, h_n = _forward(f, threads, directions, input, h_0, batch_sizes, list(weights), hidden_size)
        matrices, biases = _apart(weights, directions)
        saved: list[Any] = [input, output.data, *matrices] if h_0 is None else [h_0, input, output.data, *matrices]
        ctx.save_for_backward(*saved)
        ctx.saved_as = _engine.describe([*saved])
        ctx.biases = biases, [bias._version for bias in biases], _engine.describe([*biases])
        ctx.writes = _Writes(output)
        if batch_sizes is not None:
            batch_sizes = batch_sizes.clone()  # what is checked stays as it was
        ctx.arguments = h_0 is not None, batch_sizes, hidden_size, nonlinearity, directions
        ctx.set_materialize_grads(False)
        return output, h_n

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, d_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # once: checkpointing allows no second reading
        needs = ctx.needs_input_grad
        gradients = [gradient for gradient in (d_output, d_h_n) if gradient is not None]
        if not gradients:
            return (None,) * len(needs)
        has_state, batch_sizes, hidden_size, nonlinearity, directions = ctx.arguments
        h_0, input, output, *matrices = saved if has_state else (None, *saved)
        needed = (needs[0], needs[2], *needs[6:])
        plain = are_plain_as_saved(saved, ctx.saved_as)
        # what is no plain tensor, and what shall be differentiated again, is left to PyTorch's operations
        if not plain or torch.is_grad_enabled() or not (nothing_intercepts() and all(map(is_plain, gradients))):
            weights = _with_biases(matrices, *ctx.biases)
            computed = _differentiable_backward(
                input, batch_sizes, h_0, weights, nonlinearity, directions, d_output, d_h_n, needed
            )
        else:
            call = NONLINEARITY[nonlinearity], torch.get_num_threads(), directions, input, h_0, batch_sizes
            if ctx.writes:
                output, _ = _forward(*call, _with_biases(matrices, *ctx.biases), hidden_size)
            computed = _backward(*call, matrices, hidden_size, output, d_output, d_h_n, needed)
        d_input, d_h_0, *d_weights = computed
        return d_input, None, d_h_0, None, None, None, *d_weights


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = super(torch.autograd.Function, _Layer).apply


def _apart(weights: Sequence[Tensor], directions: int) -> tuple[list[Tensor], list[Tensor]]:
    """The matrices and the biases of all directions."""
    each = len(weights) // directions
    matrices: list[Tensor] = []
    biases: list[Tensor] = []
    for first in range(0, len(weights), each):
        matrices += weights[first : first + 2]
        biases += weights[first + 2 : first + each]
    return matrices, biases


def _with_biases(
    matrices: Sequence[Tensor], biases: Sequence[Tensor], versions: list[int], descriptions: list[bytes | None]
) -> list[Tensor]:
    """The weights of :func:`layer`, from which the output is computed again; biases that have changed are refused."""
    if versions != [bias._version for bias in biases]:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            "a bias, which the output is computed from again"
        )
    are_plain_as_saved(biases, descriptions)
    weights: list[Tensor] = []
    for pair in range(0, len(matrices), 2):
        weights += [*matrices[pair : pair + 2], *biases[pair : pair + 2]]
    return weights


def are_plain_as_saved(tensors: Sequence[Tensor | None], descriptions: list[bytes | None]) -> bool:
    """Whether tensors that were saved are plain still.

    Refuses a parameter that was given other data, which no version counter sees, and a hook's other tensor.
    """
    found = _engine.describe([*tensors])
    if found == descriptions:
        return True
    for tensor, now, saved in zip(tensors, found, descriptions, strict=True):
        if tensor is None or saved is None:
            continue
        address, kind, *shape = memoryview(saved).cast("q")
        dtype = torch.float32 if kind == _KIND_OF_FLOAT32 else torch.float64
        replaced = type(tensor) is Parameter and now is not None and memoryview(now).cast("q")[0] != address
        if replaced or [*tensor.shape] != shape or tensor.dtype is not dtype:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been given other data since the forward "
                f"pass: expected the {dtype} tensor of shape {shape} that was saved, got {tensor.dtype} of shape "
                f"{list(tensor.shape)}"
            )
    return all(now is not None for now, tensor in zip(found, tensors, strict=True) if tensor is not None)


_NOTHING: dict[torch.dtype, Tensor] = {}


class _Writes:
    """True once ``tensor``, or a view of it, has been written to. Holds none of its memory."""

    def __init__(self, tensor: Tensor) -> None:
        # a detached tensor shares the version counter, and keeps it when it is given other data
        self.alias = tensor.detach()
        nothing = _NOTHING.get(tensor.dtype)
        if nothing is None:
            nothing = _NOTHING[tensor.dtype] = tensor.new_empty(0)
        self.alias.data = nothing
        self.version = tensor._version

    def __bool__(self) -> bool:
        return self.alias._version != self.version


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
    """What the engine computes, by operations that PyTorch can differentiate again."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # aliases, lest a tensor that is passed twice gets the gradient of both its uses twice
        aliases: list[Any] = [None if tensor is None else tensor.view_as(tensor) for tensor in (input, h_0, *weights)]
        x, h, *parameters = aliases
        one_step = x.dim() == 2 and batch_sizes is None
        if one_step:
            x, h = x[None], None if h is None else h[None]
        outputs, states = [], []
        each = len(parameters) // directions
        for direction in range(directions):
            of_direction = parameters[direction * each : (direction + 1) * each]
            output, h_n = reference.layer(
                x,
                batch_sizes,
                None if h is None else h[direction],
                *of_direction,
                *[None] * (4 - each),
                nonlinearity=nonlinearity,
                reverse=direction == 1,
            )
            outputs.append(output)
            states.append(h_n)
        output = torch.cat(outputs, -1)
        results = [(output[0] if one_step else output, d_output), (torch.stack(states), d_h_n)]
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
