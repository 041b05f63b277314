"""The activations of ONNX's recurrent operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from reprlib import repr as shortened

import numpy as np

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._steps import sigmoid

__all__ = ["Activation", "choose_activations"]


@dataclass(frozen=True)
class Activation:
    """An activation with its constants; those that it has no use for are 0.

    Args:
        name: ONNX's.
        alpha, beta: its constants.
        clip: the greatest magnitude that it is handed; None: any.
    """

    name: str
    alpha: float = 0.0
    beta: float = 0.0
    clip: float | None = None

    def __call__(self, x: Array) -> Array:
        if self.clip is not None:
            x = np.clip(x, -self.clip, self.clip)
        return _KINDS[self.name].function(x, self.alpha, self.beta)


@dataclass(frozen=True)
class _Kind:
    function: Callable[[Array, float, float], Array]
    alpha: float | None = None  # the default, of an activation that takes one
    beta: float | None = None


def choose_activations(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> list[Activation]:
    """Return activations with their constants.

    Args:
        names: of the activations.
        alphas, betas: constants, handed in this order to those activations that take one; a missing one is the
            default of ONNX's operator of that name, of ScaledTanh, which has none, 1.

    Raises:
        InputError: a name is unknown, or the constants are too many.
    """
    kinds = []
    for name in names:
        if name not in _KINDS:
            raise InputError(f"activations: expected {', '.join(_KINDS)}, got {shortened(name)}")
        kinds.append(_KINDS[name])
    used_alphas = _hand_out("activation_alpha", alphas, [kind.alpha for kind in kinds])
    used_betas = _hand_out("activation_beta", betas, [kind.beta for kind in kinds])
    return [Activation(name, next(used_alphas), next(used_betas)) for name in names]


def _hand_out(name: str, values: Sequence[float], defaults: Sequence[float | None]) -> Iterator[float]:
    takers = sum(default is not None for default in defaults)
    if takers and len(values) > takers:  # which of them are meant for which activation, nobody can tell
        raise InputError(f"{name}: expected {takers} at most, one for an activation that takes it, got {len(values)}")
    given = iter(values)
    return iter([0.0 if default is None else float(next(given, default)) for default in defaults])


_KINDS = {
    "Relu": _Kind(lambda x, alpha, beta: np.maximum(x, 0)),
    "Tanh": _Kind(lambda x, alpha, beta: np.tanh(x)),
    "Sigmoid": _Kind(lambda x, alpha, beta: sigmoid(x)),
    "Affine": _Kind(lambda x, alpha, beta: alpha * x + beta, alpha=1.0, beta=0.0),
    "LeakyRelu": _Kind(lambda x, alpha, beta: np.where(x >= 0, x, alpha * x), alpha=float(np.float32(0.01))),
    "ThresholdedRelu": _Kind(lambda x, alpha, beta: np.where(x >= alpha, x, 0), alpha=1.0),
    "ScaledTanh": _Kind(lambda x, alpha, beta: alpha * np.tanh(beta * x), alpha=1.0, beta=1.0),
    "HardSigmoid": _Kind(
        lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), alpha=float(np.float32(0.2)), beta=0.5
    ),
    "Elu": _Kind(lambda x, alpha, beta: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0))), alpha=1.0),
    "Softsign": _Kind(lambda x, alpha, beta: x / (1 + np.abs(x))),
    "Softplus": _Kind(lambda x, alpha, beta: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
}
