"""``Function.apply`` under the transforms of ``torch.func``, one after the other from the innermost out.

PyTorch's own way takes half a millisecond a transform: it makes a class at every call and looks for tensors in all
that it is given. Here the tensors are the arguments themselves.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from elman import _gate

__all__ = ["apply"]

_OneLevelFunction: Any = Function
_current: Any = None
try:
    # PyTorch's own, which any version may rename: then its own way is taken.
    _functorch: Any = torch._C._functorch
    _vmap_key, _grad_key = _functorch.TransformType.Vmap, _functorch.TransformType.Grad
    _batched, _unbatched = _functorch._add_batch_dim, _functorch._unwrap_batched
    _wrapped, _unwrapped = _functorch._wrap_for_grad, _functorch._unwrap_for_grad
    _alive = _functorch.unwrap_if_dead
    _may_use_forward_mode: Any = forward_ad._set_fwd_grad_enabled
    _on_one_level: Any = torch._functorch.utils.enable_single_level_autograd_function
    _OneLevelFunction = torch.autograd.function._SingleLevelFunction
    _current = torch._functorch.pyfunctorch.retrieve_current_functorch_interpreter
except AttributeError:
    pass


def apply(function: Any, call: Any, *tensors: Tensor | None) -> tuple[Tensor, ...]:
    """``function.apply(call, *tensors)`` of a function with ``setup_context``, all of whose results are tensors."""
    results: Any
    if not _gate.is_transformed():
        results = (function.apply if _gate.is_differentiated(tensors) else function.forward)(call, *tensors)
        return results  # type: ignore[no-any-return]
    transform = _current and _current()
    if transform and transform.key() == _vmap_key:
        return _vmap(transform, function, call, tensors)
    if transform and transform.key() == _grad_key:
        return _grad(transform, function, call, tensors)
    return function.apply(call, *tensors)  # type: ignore[no-any-return]


def _vmap(transform: Any, function: Any, call: Any, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    level = transform.level()
    pairs = [(None, None) if x is None else _unbatched(x, level) for x in tensors]
    below, in_dims = zip(*pairs, strict=True)
    with transform.lower():
        if all(dim is None for dim in in_dims):
            return apply(function, call, *below)
        info = SimpleNamespace(batch_size=transform.batch_size(), randomness=transform.randomness())
        results, out_dims = function.vmap(info, (None, *in_dims), call, *below)
    return tuple(_batched(x, dim, level) for x, dim in zip(results, out_dims, strict=True))


def _grad(transform: Any, function: Any, call: Any, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    lifted = [x if x is None else transform._cptr.lift(_alive(x)) for x in tensors]
    with _on_one_level():
        return _OneLevel.apply(transform, function, call, *lifted)  # type: ignore[no-any-return]


class _OneLevel(_OneLevelFunction):  # type: ignore[misc]
    """The function on the level of one transform that takes gradients."""

    @staticmethod
    def forward(ctx: Any, transform: Any, function: Any, call: Any, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        level = transform.level()
        below = [x if x is None else _unwrapped(x, level) for x in tensors]
        with torch.enable_grad(), _may_use_forward_mode(True), transform.lower():
            results = apply(function, call, *below)
        results = tuple(_wrapped(x, level) for x in results)
        ctx.function = function
        function.setup_context(ctx, (call, *tensors), results)
        return results

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.function.backward(ctx, *d_results)
