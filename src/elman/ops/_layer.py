"""One recurrent layer, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from elman import _engine, reference
from elman._gate import is_plain, nothing_intercepts

__all__ = ["are_plain_as_saved", "layer"]

NONLINEARITY = {"tanh": _engine.Nonlinearity.tanh, "relu": _engine.Nonlinearity.relu}

_requires_grad = attrgetter("requires_grad")
_forward: Any = _engine.forward
_backward: Any = _engine.backward
# Of _engine.describe: 2 is DLPack's code of floats, 32 the bits.
_KIND_OF_FLOAT32 = 2032
# nonlinearity, directions, hidden size and, of packed input, the rows of each step
_Call = tuple[str, int, int, Tensor | None]


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    weights: list[Tensor],
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
    call = nonlinearity, directions, hidden_size, batch_sizes
    if torch.is_grad_enabled() and (
        any(map(_requires_grad, (*weights, input))) or (h_0 is not None and h_0.requires_grad)
    ):
        return _apply(call, input, h_0, *weights)  # type: ignore[no-any-return]
    return _run(call, input, h_0, weights)


def _run(call: _Call, input: Tensor, h_0: Tensor | None, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    nonlinearity, directions, hidden_size, batch_sizes = call
    f, threads = NONLINEARITY[nonlinearity], torch.get_num_threads()
    return _forward(f, threads, directions, input, h_0, batch_sizes, weights, hidden_size)  # type: ignore[no-any-return]


class _Layer(torch.autograd.Function):
    """Saves the output alone besides what it was given: f' is read off h_t.

    PyTorch's layer lets its user write to the output, and to the biases, before the backward pass. So does this one:
    it saves the output without the check for writes, keeps count of them, and computes the output again, to the same
    bits, if there were any.
    """

    @staticmethod
    def forward(ctx: Any, call: _Call, input: Tensor, h_0: Tensor | None, *weights: Tensor) -> tuple[Tensor, Tensor]:
        output, h_n = _run(call, input, h_0, [*weights])
        nonlinearity, directions, hidden_size, batch_sizes = call
        each = len(weights) // directions
        saved = input, h_0, output.data, *weights[:2], *weights[each : each + 2]
        biases = *weights[2:each], *weights[each + 2 :]
        ctx.save_for_backward(*saved)
        if batch_sizes is not None:
            call = nonlinearity, directions, hidden_size, batch_sizes.clone()  # what is checked stays as it was
        of_biases = biases, [bias._version for bias in biases], _engine.describe([*biases])
        ctx.kept = call, _engine.describe([*saved]), of_biases, _Writes(output)
        ctx.set_materialize_grads(False)
        return output, h_n

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, d_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
        input, h_0, output, *matrices = saved = ctx.saved_tensors  # once: checkpointing allows no second reading
        needed = ctx.needs_input_grad[1:]
        if d_output is None and d_h_n is None:
            return None, *[None] * len(needed)
        call, saved_as, of_biases, writes = ctx.kept
        nonlinearity, directions, hidden_size, batch_sizes = call
        if not (
            are_plain_as_saved(saved, saved_as)
            and (d_output is None or is_plain(d_output))
            and (d_h_n is None or is_plain(d_h_n))
            and not torch.is_grad_enabled()
            and nothing_intercepts()
        ):
            # what is no plain tensor, and what shall be differentiated again, is left to PyTorch's operations
            weights = _with_biases(matrices, *of_biases)
            return None, *_differentiable_backward(
                input, batch_sizes, h_0, weights, nonlinearity, directions, d_output, d_h_n, needed
            )
        if writes:
            output, _ = _run(call, input, h_0, _with_biases(matrices, *of_biases))
        f, threads = NONLINEARITY[nonlinearity], torch.get_num_threads()
        return None, *_backward(
            f, threads, directions, input, h_0, batch_sizes, matrices, hidden_size, output, d_output, d_h_n, needed
        )


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = super(torch.autograd.Function, _Layer).apply


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
