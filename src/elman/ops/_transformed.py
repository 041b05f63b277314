"""A recurrent layer that ``torch.func`` can look into: the engine's two calls as functions of tensors alone.

Each says what it is over a batch of calls (``vmap``): one call of more rows where the weights are shared, a call for
each where each has its own. And each says what its gradients are, those of gradients by the equations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from elman import _gate
from elman._cells import FAMILIES
from elman.ops import _batching, _calls
from elman.ops._differentiable import composed, gradients_by_equations
from elman.ops._levels import apply

__all__ = ["transformed", "transformed_step"]

_FAMILIES = {cell: family for family in FAMILIES.values() for cell in family.modes.values()}


@dataclass(frozen=True)
class _Call:
    """What a call is besides its tensors. No tuple: the transforms would look for tensors in it at every turn."""

    cell: str
    directions: int
    hidden_size: int
    batch_sizes: Tensor | None
    keeps: bool = True
    needed: tuple[bool, ...] = ()  # the gradients, of input, h_0, c_0 and weights
    deltas: bool = False  # behind them

    @property
    def results(self) -> int:
        return 1 + len(_FAMILIES[self.cell].states)

    @property
    def features_apart(self) -> int:
        return len(_FAMILIES[self.cell].apart) * self.hidden_size

    def times(self, members: int, **changes: Any) -> _Call:
        """The call of so many calls' rows, each row's members side by side."""
        batch_sizes = None if self.batch_sizes is None else self.batch_sizes * members
        return replace(self, batch_sizes=batch_sizes, **changes)


def transformed(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: list[Tensor],
    hidden_size: int,
    cell: str,
    directions: int,
    output_batch_first: bool = False,
    every_c: bool = False,
) -> tuple[Tensor, ...]:
    """:func:`elman.ops.layer` of tensors that ``torch.func`` has wrapped, of any dtype, on any device.

    The engine computes what it can; what it cannot, the equations: other dtypes, forward mode, all cell states. Under
    autocast the results alone are of its dtype.
    """
    given: list[Any] = [input, h_0, c_0]
    dtype = lower = weights[0].dtype
    if _gate.is_autocast() and dtype is torch.float32:
        lower = torch.get_autocast_dtype("cpu")
        given = [None if x is None else x.to(dtype) for x in given]
    with torch.autocast("cpu", enabled=False):
        if dtype in _gate.DTYPES and input.device.type == "cpu" and not (_gate.is_forward_mode() or every_c):
            sizes = None if batch_sizes is None else _gate.innermost(batch_sizes)
            call = _Call(cell, directions, hidden_size, sizes, torch.is_grad_enabled())
            results = apply(_Forward, call, *given, *weights)[: call.results]
        else:
            options: dict[str, Any] = {"cell": cell, "directions": directions, "every_c": every_c}
            results = (*composed(*given, *weights, batch_sizes=batch_sizes, **options),)
    output, *states = (x.to(lower) for x in results)
    return output.transpose(0, 1) if output_batch_first else output, *states


def transformed_step(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], hidden_size: int, cell: str
) -> tuple[Tensor, ...]:
    """:func:`elman.ops.step` of such tensors: a layer of one step, which has the same bits."""
    h_0, c_0 = (None if x is None else x.unsqueeze(0) for x in (h, c))
    _, *states = transformed(input.unsqueeze(0), None, h_0, c_0, weights, hidden_size, cell, 1)
    return tuple(state.squeeze(0) for state in states)


class _Forward(torch.autograd.Function):
    """The output, the final states and, where a cell keeps more for its backward pass, that."""

    @staticmethod
    def forward(call: _Call, *given: Any) -> tuple[Tensor, ...]:
        input, h_0, c_0, *weights = map(_plain, given)
        sizes = call.cell, call.directions, call.hidden_size
        results, kept = _calls.forward(*sizes, input, h_0, c_0, call.batch_sizes, weights, call.keeps)
        return results if kept is None else (*results, kept)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.call, *given = inputs
        kept = output[ctx.call.results] if len(output) > ctx.call.results else None
        if kept is not None:
            ctx.mark_non_differentiable(kept)
        ctx.save_for_backward(output[0], kept, *given)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        output, kept, *given = ctx.saved_tensors
        call, needed = ctx.call, ctx.needs_input_grad[-len(given) :]
        d_results = d_results[: call.results]
        if all(d_result is None for d_result in d_results):
            return None, *[None] * len(needed)
        d_output, d_h_n, d_c_n = (*d_results, None)[:3]
        call = replace(call, needed=needed)
        found = iter(apply(_Backward, call, *given[:3], output, kept, d_output, d_h_n, d_c_n, *given[3:]))
        return None, *(next(found) if need else None for need in needed)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], call: _Call, *given: Any) -> tuple[Any, Any]:
        members, in_dims = info.batch_size, in_dims[1:]
        if _batching.is_batched(in_dims[3:]):
            return _batching.of_each(partial(apply, _Forward, call), members, given, in_dims)
        rows = _batching.folded(given[:3], in_dims[:3], members)
        return _batching.unfolded(apply(_Forward, call.times(members), *rows, *given[3:]), members)


class _Backward(torch.autograd.Function):
    """The gradients that are needed."""

    @staticmethod
    def forward(call: _Call, *given: Any) -> tuple[Tensor, ...]:
        input, h_0, c_0, output, kept, d_output, d_h_n, d_c_n, *weights = map(_plain, given)
        matrices = [weight for weight in weights if weight.dim() == 2]
        gradients = _calls.backward(
            *(call.cell, call.directions, call.hidden_size, input, h_0, c_0, call.batch_sizes, matrices),
            *(output, kept, d_output, d_h_n, d_c_n, call.needed, call.deltas),
        )
        return tuple(gradient for gradient in gradients if gradient is not None)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.call, *given = inputs
        ctx.save_for_backward(*given)

    @staticmethod
    def backward(ctx: Any, *d_gradients: Tensor) -> tuple[Tensor | None, ...]:
        # the output and what is kept count as functions of all else
        input, h_0, c_0, _, _, d_output, d_h_n, d_c_n, *weights = ctx.saved_tensors
        call = ctx.call
        given = input, h_0, c_0, d_output, d_h_n, d_c_n, *weights
        there = [i for i, tensor in enumerate(given) if tensor is not None]

        def gradients(*tensors: Tensor) -> tuple[Tensor, ...]:
            all_given = dict(zip(there, tensors, strict=True))
            input, h_0, c_0, *d_results = map(all_given.get, range(6))
            arguments = input, h_0, c_0, *tensors[len(tensors) - len(weights) :]
            return gradients_by_equations(
                arguments, call.batch_sizes, call.cell, call.directions, d_results, call.needed
            )

        vjp: Any = torch.func.vjp
        _, pull = vjp(gradients, *(given[i] for i in there))
        found = dict(zip(there, pull(d_gradients), strict=True))
        of_given = [*map(found.get, range(len(given)))]
        return (None, *of_given[:3], None, None, *of_given[3:])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], call: _Call, *given: Any) -> tuple[Any, Any]:
        members, in_dims, needed = info.batch_size, in_dims[1:], call.needed
        learns = any(needed[3:])
        # the weights' own gradients are made of the deltas here, which have no gradients themselves
        if _batching.is_batched(in_dims[8:]) or (learns and _gate.is_differentiated(given)):
            return _batching.of_each(partial(apply, _Backward, call), members, given, in_dims)
        rows = _batching.folded(given[:8], in_dims[:8], members)
        of_rows = (*needed[:3], *[False] * len(needed[3:]))
        call = call.times(members, needed=of_rows, deltas=call.deltas or learns)
        found, dims = _batching.unfolded(apply(_Backward, call, *rows, *given[8:]), members)
        if not learns:
            return found, dims
        *of_given, deltas_of_rows = found
        input, h_0, _, output, *_ = rows
        of_weights = _batching.weight_gradients(
            deltas_of_rows, call.features_apart, input, h_0, output, call.batch_sizes, needed[3:]
        )
        return (*of_given, *of_weights), (*dims[:-1], *[0] * len(of_weights))


def _plain(x: Any) -> Any:
    """What the engine can read: the numbers of a negated view, say, in memory of their own."""
    return x if x is None or _gate.is_plain(x) else torch.empty(x.shape, dtype=x.dtype).copy_(x)
