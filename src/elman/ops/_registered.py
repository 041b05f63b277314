"""``elman::layer`` and ``elman::layer_backward`` in PyTorch's registry, for all that looks into a program.

``torch.compile``, ``torch.export``, fake tensors and ``torch.func`` see of a call, of any cell, these two. Here is how
they are differentiated; what they compute, ``_operators.py`` says, and what ``vmap`` makes of them, ``_batching.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from elman import _gate
from elman.ops import _batching
from elman.ops._arguments import LAYER, LAYER_BACKWARD, Arguments, Backward

__all__ = ["library", "register"]

library = torch.library.Library("elman", "DEF")
_results: Any = None  # what register() was given
_engines_gradients: Any = None


def register(
    results: Callable[[Arguments, bool], Sequence[Tensor]],
    shapes: Callable[[Arguments, bool], Sequence[Tensor]],
    gradients: Callable[[Backward], Sequence[Tensor | None] | None],
) -> None:
    """Define the operators.

    Args:
        results: computes output, ``h_n``, ``c_n``, the states but the first after every step, and what is kept for the
            backward pass; an empty tensor for what there is not. Without the latter autograd can differentiate it.
        shapes: the same without numbers.
        gradients: computes those that are needed, and deltas; or returns None where it cannot.
    """
    global _results, _engines_gradients
    _results, _engines_gradients = results, gradients
    _define(
        "layer",
        f"({LAYER}, bool keeps) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
        lambda *given: (*results(Arguments(*given[:-1]), given[-1]),),
        lambda *given: (*shapes(Arguments(*given[:-1]), given[-1]),),
        _forward,
        _forward_of_members,
    )
    _define(
        "layer_backward",
        f"({LAYER_BACKWARD}) -> Tensor[]",
        lambda *given: _gradients(Backward.of(given)),
        lambda *given: _shapes_of_gradients(Backward.of(given)),
        _backward,
        _backward_of_members,
    )


def _define(
    name: str,
    schema: str,
    numbers: Callable[..., Any],
    shapes: Callable[..., Any],
    differentiable: Callable[..., Any],
    of_members: Callable[..., Any],
) -> None:
    library.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))
    library.impl(name, torch.no_grad()(numbers), "CompositeExplicitAutograd")
    library.impl(name, differentiable, "Autograd", with_keyset=True)
    library.impl(name, of_members, "FuncTorchBatched")
    torch.library.register_fake(f"elman::{name}", shapes, lib=library)


def _gradients(backward: Backward) -> list[Tensor | None]:
    """Those that are needed, then deltas."""
    flat, needed = backward.arguments.flat, backward.needed
    found = _engines_gradients(backward)
    if found is None:
        with torch.enable_grad(), _gate.with_autograd():
            again = [x.detach().requires_grad_() if need else x for x, need in zip(flat, needed, strict=True)]
            every_pair = zip(_results(backward.arguments.having(again), False), backward.d_results, strict=False)
            # of states at resets that nothing is begun from no result is made
            pairs = [(y, d_y) for y, d_y in every_pair if d_y is not None and y.requires_grad]
            results, d_results = [y for y, _ in pairs], [d_y for _, d_y in pairs]
            learnt = _where(again, needed)
            of_needed = torch.autograd.grad(results, learnt, d_results, allow_unused=True) if pairs else ()
        remaining = iter(of_needed)
        found = [next(remaining, None) if need else None for need in needed]
    of_flat = zip(_where(flat, needed), _where(found[: len(flat)], needed), strict=True)
    return [*(torch.zeros_like(x) if d_x is None else d_x for x, d_x in of_flat), *found[len(flat) :]]


def _shapes_of_gradients(backward: Backward) -> list[Tensor]:
    shapes = [x.new_empty(x.shape) for x in _where(backward.arguments.flat, backward.needed)]
    if backward.deltas:
        call, output = backward.arguments.call, backward.output
        features = (call.cell.gates + call.cell.apart) * call.hidden_size
        shapes.append(output.new_empty(call.directions, output[..., 0].numel(), features))
    return shapes


def _forward(keys: Any, *given: Any) -> Any:
    arguments, keeps = Arguments(*given[:-1]), given[-1]
    flat = arguments.flat
    if _learns(flat):
        return _apply(_Forward, keys & _gate.after_autograd, _bare(arguments), keeps, *flat)
    if _is_last(flat):
        return (*_results(arguments, keeps),)
    return torch.ops.elman.layer.default.redispatch(keys & _gate.after_autograd, *given)


def _backward(keys: Any, *given: Any) -> Any:
    backward = Backward.of(given)
    flat = backward.flat
    if _learns(flat):
        return [*_apply(_Backward, keys & _gate.after_autograd, _bare(backward), *flat)]
    if _is_last(flat):
        return _gradients(backward)
    return torch.ops.elman.layer_backward.default.redispatch(keys & _gate.after_autograd, *given)


def _is_last(tensors: Sequence[Tensor | None]) -> bool:
    """Whether nothing but the numbers is left to come: to be dispatched once more takes longer than a short step."""
    return _gate.nothing_intercepts() and _gate.are_plain([*tensors])


def _bare(given: Any) -> Any:
    """Arguments without their tensors, which are saved elsewhere."""
    return given.having([None] * len(given.flat))


def _learns(tensors: Sequence[Tensor | None]) -> bool:
    """Whether autograd has to know of this: tangents are carried along by tensors that require no gradient."""
    if forward_ad._current_level >= 0:
        return True
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _apply(function: Any, *given: Any) -> Any:
    # the operator stands below the transforms of torch.func, each of which calls it on its own level, in its own mode
    with _gate.on_one_level():
        return super(Function, function).apply(torch.is_grad_enabled(), *given)


class _Forward(Function):
    @staticmethod
    def forward(ctx: Any, was_enabled: bool, keys: Any, bare: Arguments, keeps: bool, *flat: Any) -> Any:
        with torch.set_grad_enabled(was_enabled):
            results = torch.ops.elman.layer.default.redispatch(keys, *bare.having(flat), keeps)
        ctx.bare = bare
        ctx.save_for_backward(results[0], results[-1], *flat)
        ctx.mark_non_differentiable(results[-1])
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *d_results: Any) -> Any:
        nothing, needed = [None] * 4, ctx.needs_input_grad[4:]
        d_results = d_results[:-1]
        if all(d_result is None for d_result in d_results):
            return *nothing, *[None] * len(needed)
        output, kept, *flat = ctx.saved_tensors
        backward = Backward(d_results, output, kept, ctx.bare.having(flat), needed, False)
        gradients = iter(torch.ops.elman.layer_backward(*backward.as_given))
        return *nothing, *(next(gradients) if need else None for need in needed)


class _Backward(Function):
    """Of what the first function's backward pass computes, the gradients by PyTorch's operations."""

    @staticmethod
    def forward(ctx: Any, was_enabled: bool, keys: Any, bare: Backward, *flat: Any) -> Any:
        with torch.set_grad_enabled(was_enabled):
            gradients = torch.ops.elman.layer_backward.default.redispatch(keys, *bare.having(flat).as_given)
        ctx.bare = bare
        ctx.save_for_backward(*flat)
        ctx.set_materialize_grads(False)
        return tuple(gradients)

    @staticmethod
    def backward(ctx: Any, *d_gradients: Any) -> Any:
        saved, count = ctx.saved_tensors, len(ctx.bare.d_results)
        needs = [*ctx.needs_input_grad[3:]]
        needs[count : count + 2] = False, False  # the output and what is kept count as functions of all else

        def gradients(*learnt: Tensor) -> Sequence[Tensor]:
            d_results, _, _, arguments, needed, _ = ctx.bare.having(_with(saved, needs, learnt))
            flat = arguments.flat

            def results(*learnt: Tensor) -> Sequence[Tensor]:
                return _results(arguments.having(_with(flat, needed, learnt)), False)  # type: ignore[no-any-return]

            return _pulled_back(results, _where(flat, needed), d_results)

        found = iter(_pulled_back(gradients, _where(saved, needs), d_gradients))
        return *[None] * 3, *(next(found) if need else None for need in needs)


def _where(tensors: Sequence[Any], needed: Sequence[bool]) -> list[Any]:
    return [x for x, need in zip(tensors, needed, strict=True) if need]


def _with(tensors: Sequence[Any], needed: Sequence[bool], others: Sequence[Tensor]) -> list[Any]:
    """The tensors, with others in place of those that are needed."""
    remaining = iter(others)
    return [next(remaining) if need else x for x, need in zip(tensors, needed, strict=True)]


def _pulled_back(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], d_results: Sequence[Tensor | None]
) -> Sequence[Tensor]:
    """The gradients of a function's inputs; None stands for a result without one."""

    def with_gradient(*inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(x for x, d_x in zip(function(*inputs), d_results, strict=False) if d_x is not None)

    pulled_back: Sequence[Tensor] = torch.func.vjp(with_gradient, *inputs)[1](
        tuple(x for x in d_results if x is not None)
    )
    return pulled_back


def _forward_of_members(*given: Any) -> Any:
    arguments, keeps = Arguments(*given[:-1]), given[-1]
    return _of_members(arguments, lambda *of: _batching.forward(torch.ops.elman.layer, keeps, *of))


def _backward_of_members(*given: Any) -> Any:
    return [*_of_members(Backward.of(given), lambda *of: _batching.backward(torch.ops.elman.layer_backward, *of))]


def _of_members(given: Any, rule: Callable[..., Any]) -> Any:
    """A rule's results of the members of the innermost ``vmap``."""
    vmap = _gate.innermost_transform()
    level, members = vmap.level(), vmap.batch_size()
    pairs = [(None, None) if x is None else _gate.unbatched(x, level) for x in given.flat]
    below, dims = map(list, zip(*pairs, strict=True))
    with _gate.below_vmap():
        if not members:  # what is computed of one, without it
            below = [
                x if dim is None else x.new_zeros(*x.shape[:dim], 1, *x.shape[dim + 1 :])
                for x, dim in zip(below, dims, strict=True)
            ]
        results, out_dims = rule(given.having(below), dims, members or 1)
        if not members:
            results = [x if dim is None else x.narrow(dim, 0, 0) for x, dim in zip(results, out_dims, strict=True)]
    return tuple(x if dim is None else _gate.batched(x, dim, level) for x, dim in zip(results, out_dims, strict=True))
