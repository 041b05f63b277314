"""Networks from PyTorch and Keras."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elman._errors import InputError, listed, shown
from elman.runtime._arrays import Array, as_array
from elman.runtime._parameters import NAMES, parameter_names
from elman.runtime._rnn import RNN

__all__ = ["as_rnn", "from_keras"]

_MODES = {"RNN_TANH": "tanh", "RNN_RELU": "relu"}


def as_rnn(network: Any, nonlinearity: str | None = None, batch_first: bool | None = None) -> RNN:
    """Return what runs a network without PyTorch.

    Args:
        network: a ``torch.nn.RNN`` or ``RNNCell``, or :mod:`elman.nn`'s; parameters by name, a ``state_dict``; or an
            :class:`RNN`, which is returned as it is.
        nonlinearity, batch_first: what parameters do not say; None: tanh and False, or as the module has them.

    Raises:
        InputError: it is none of these, or the arguments contradict the module.
    """
    if isinstance(network, Mapping):
        return RNN(
            network,
            "tanh" if nonlinearity is None else nonlinearity,
            False if batch_first is None else batch_first,
        )
    is_module = hasattr(network, "state_dict")
    own = getattr(network, "nonlinearity", None)
    if hasattr(network, "mode"):  # what PyTorch's layers go by; cells have none
        own = _MODES.get(network.mode)
    names = getattr(network, "_flat_weights_names", None) or [name for name in NAMES if _has(network, name)]
    if not isinstance(network, RNN) and not (is_module and own and names):
        kind = f"{type(network).__module__}.{type(network).__name__}"
        raise InputError(f"network: expected an RNN, an RNNCell or their parameters, got {kind}")
    for name, given, of_module in (
        ("nonlinearity", nonlinearity, own),
        ("batch_first", batch_first, getattr(network, "batch_first", False)),
    ):
        if given is not None and given != of_module:
            raise InputError(f"{name}: expected None or the network's own, {of_module!r}, got {given!r}")
    if isinstance(network, RNN):
        return network
    # attributes, not the state_dict: a parametrized or pruned weight is what it comes to
    parameters = {name: getattr(network, name) for name in names}
    return RNN(parameters, str(own), getattr(network, "batch_first", False))


def from_keras(weights: Sequence[Any], nonlinearity: str = "tanh", batch_first: bool = True) -> RNN:
    """Return the network of Keras's ``SimpleRNN``.

    Args:
        weights: what the layer's ``get_weights()`` returns: kernel (input_size, units), recurrent kernel (units,
            units) and, if there is one, bias (units,); of a ``Bidirectional`` layer both directions', one after the
            other. For stacked layers, a list of such lists: what ``model.get_weights()`` returns does not tell two
            layers from two directions.
        nonlinearity: the layer's ``activation``, ``"tanh"`` or ``"relu"``.
        batch_first: Keras's layers are.

    Raises:
        InputError: the arrays are no such layer's; the message says which.
    """
    if not isinstance(weights, list | tuple):
        raise InputError(f"weights: expected a list of arrays, got {type(weights).__name__}")
    layers = list(weights) if weights and isinstance(weights[0], list | tuple) else [list(weights)]
    for number, layer in enumerate(layers):
        if not isinstance(layer, list | tuple):
            raise InputError(f"weights[{number}]: expected a list of arrays, got {type(layer).__name__}")
    each = len(layers[0])
    if each not in (2, 3, 4, 6) or any(len(layer) != each for layer in layers):
        counts = listed(str(len(layer)) for layer in layers)
        raise InputError(f"weights: expected 2 or 3 arrays a layer, or 4 or 6 in two directions, got {counts}")
    directions, bias = (2 if each > 3 else 1), each % 3 == 0
    parameters: dict[str, Array] = {}
    for number, arrays in enumerate(layers):
        for direction in range(directions):
            part = arrays[direction * each // directions : (direction + 1) * each // directions]
            place = f"weights[{number}]" if len(layers) > 1 else "weights"
            checked = [as_array(array, f"{place}[{i}]") for i, array in enumerate(part)]
            for i, (array, dimensions) in enumerate(zip(checked, (2, 2, 1), strict=False)):
                if array.ndim != dimensions:
                    raise InputError(
                        f"{place}[{i}]: expected {dimensions} dimensions, got the shape {shown(array.shape)}"
                    )
            kernel, recurrent, *rest = checked
            values = [kernel.T, recurrent.T, *rest, *map(np.zeros_like, rest)]  # Keras has one bias
            parameters |= dict(zip(parameter_names(number, direction, bias), values, strict=True))
    return RNN(parameters, nonlinearity, batch_first)


def _has(module: Any, name: str) -> bool:
    return getattr(module, name, None) is not None
