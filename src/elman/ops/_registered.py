"""Functions as operators in PyTorch's registry, with gradients under autograd and ``torch.func`` alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from elman import _gate

__all__ = ["Operator"]

_library = torch.library.Library("elman", "DEF")


class Operator:
    """``elman::name(tensors, weights, options, keeps)``, whose results are as many tensors always and one thing more:
    what it keeps for the backward pass, and

    ``elman::name_backward(d_results, first result, kept, tensors, weights, options, needed)``, which returns those
    gradients of tensors and weights that are needed.

    Args:
        tensors, options: the arguments before and behind the weights, as in a schema.
        count: of the results.
        results: computes them. Without ``keeps``, the last argument, autograd can differentiate it.
        shapes: what it returns, without its numbers.
        gradients: computes them all, None for those that are not needed; or returns None where it cannot.
    """

    def __init__(
        self,
        name: str,
        tensors: str,
        options: str,
        count: int,
        *,
        results: Callable[..., tuple[Tensor, ...]],
        shapes: Callable[..., tuple[Tensor, ...]],
        gradients: Callable[..., Sequence[Tensor | None] | None],
    ) -> None:
        self.count, self.before, self.results, self.gradients = count, tensors.count(",") + 1, results, gradients
        inputs = f"{tensors}, Tensor[] weights, {options}"
        self.forward = _define(
            name, f"({inputs}, bool keeps) -> ({', '.join(['Tensor'] * (count + 1))})", results, shapes, self._forward
        )
        self.backward = _define(
            f"{name}_backward",
            f"(Tensor?[] d_results, Tensor output, Tensor kept, {inputs}, bool[] needed) -> Tensor[]",
            self._gradients,
            self._shapes_of_gradients,
            self._backward,
        )

    def _flat(self, given: Sequence[Any]) -> list[Any]:
        """The tensors and the weights."""
        return [*given[: self.before], *given[self.before]]

    def _forward(self, keys: Any, *given: Any) -> Any:
        flat, options = self._flat(given), given[self.before + 1 :]
        if _any_learns(flat):
            return _apply(_Forward, self, keys & _gate.after_autograd, options, *flat)
        return self.forward.redispatch(keys & _gate.after_autograd, *given)

    def _backward(self, keys: Any, *given: Any) -> Any:
        (d_results, *saved), of_forward = given[:3], given[3:]
        flat, options = self._flat(of_forward), of_forward[self.before + 1 :]
        if _any_learns([*d_results, *flat]):
            return [*_apply(_Backward, self, keys & _gate.after_autograd, options, *d_results, *saved, *flat)]
        return self.backward.redispatch(keys & _gate.after_autograd, *given)

    def _gradients(self, d_results: Sequence[Any], output: Tensor, kept: Tensor, *given: Any) -> list[Tensor]:
        flat, options, needed = self._flat(given), given[self.before + 1 : -1], given[-1]
        found = self.gradients(d_results, output, kept, *given)
        if found is None:
            with torch.enable_grad():
                again = [x.detach().requires_grad_() if need else x for x, need in zip(flat, needed, strict=True)]
                pairs = zip(self.results(*self.given(again, options)), d_results, strict=False)
                results, d_results = zip(*(pair for pair in pairs if pair[1] is not None), strict=True)
                of_needed = iter(torch.autograd.grad(results, _where(again, needed), d_results, allow_unused=True))
            found = [next(of_needed) if need else None for need in needed]
        wanted = zip(_where(flat, needed), _where(found, needed), strict=True)
        return [torch.zeros_like(x) if d_x is None else d_x for x, d_x in wanted]

    def _shapes_of_gradients(self, *given: Any) -> list[Tensor]:
        return [x.new_empty(x.shape) for x, need in zip(self._flat(given[3:]), given[-1], strict=True) if need]

    def given(self, flat: Sequence[Any], options: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments again."""
        return *flat[: self.before], [*flat[self.before :]], *options


def _define(
    name: str, schema: str, numbers: Callable[..., Any], shapes: Callable[..., Any], differentiable: Callable[..., Any]
) -> Any:
    _library.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))
    _library.impl(name, torch.no_grad()(numbers), "CompositeExplicitAutograd")
    _library.impl(name, differentiable, "Autograd", with_keyset=True)
    torch.library.register_fake(f"elman::{name}", shapes, lib=_library)
    return getattr(torch.ops.elman, name).default


def _any_learns(tensors: Sequence[Tensor | None]) -> bool:
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
    def forward(ctx: Any, was_enabled: bool, operator: Operator, keys: Any, options: Any, *flat: Any) -> Any:
        with torch.set_grad_enabled(was_enabled):
            results = operator.forward.redispatch(keys, *operator.given(flat, options))
        ctx.operator, ctx.options = operator, options[:-1]
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
        operator, (output, kept, *flat) = ctx.operator, ctx.saved_tensors
        options = *ctx.options, [*needed]
        gradients = iter(operator.backward([*d_results], output, kept, *operator.given(flat, options)))
        return *nothing, *(next(gradients) if need else None for need in needed)


class _Backward(Function):
    """Of what the first function's backward pass computes, the gradients by PyTorch's operations."""

    @staticmethod
    def forward(ctx: Any, was_enabled: bool, operator: Operator, keys: Any, options: Any, *all_tensors: Any) -> Any:
        d_results, (output, kept, *flat) = all_tensors[: operator.count], all_tensors[operator.count :]
        given = operator.given(flat, options)
        with torch.set_grad_enabled(was_enabled):
            gradients = operator.backward.redispatch(keys, [*d_results], output, kept, *given)
        ctx.operator, ctx.options, ctx.needed = operator, options[:-1], options[-1]
        ctx.save_for_backward(*d_results, *flat)
        ctx.set_materialize_grads(False)
        return tuple(gradients)

    @staticmethod
    def backward(ctx: Any, *d_gradients: Any) -> Any:
        operator, count, saved = ctx.operator, ctx.operator.count, ctx.saved_tensors
        needs = *ctx.needs_input_grad[4 : 4 + count], *ctx.needs_input_grad[6 + count :]

        def gradients(*learnt: Tensor) -> Sequence[Tensor]:
            tensors = _with(saved, needs, learnt)
            d_results, flat = tensors[:count], tensors[count:]

            def results(*learnt: Tensor) -> Sequence[Tensor]:
                return operator.results(*operator.given(_with(flat, ctx.needed, learnt), ctx.options))  # type: ignore[no-any-return]

            return _pulled_back(results, _where(flat, ctx.needed), d_results)

        found = iter(_pulled_back(gradients, _where(saved, needs), d_gradients))
        second = [next(found) if need else None for need in needs]
        return *[None] * 4, *second[:count], None, None, *second[count:]


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
