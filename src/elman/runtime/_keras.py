"""Networks of Keras."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from elman._cells import FAMILIES, Family
from elman._errors import InputError, listed, shown
from elman.runtime._arrays import Array, as_array
from elman.runtime._network import Network
from elman.runtime._parameters import family_of, parameter_names, reorder_gates
from elman.runtime._reset_first import ResetFirstGRU
from elman.runtime._rnn import NETWORKS, RNN

__all__ = ["from_keras"]


def from_keras(
    weights: Sequence[Any], nonlinearity: str = "tanh", batch_first: bool = True, reset_after: bool | None = None
) -> Network:
    """Return the network of Keras's ``SimpleRNN``, ``GRU`` or ``LSTM``, whichever the shapes say.

    Args:
        weights: what the layer's ``get_weights()`` returns: kernel (input_size, gates * units), recurrent kernel
            (units, gates * units) and, if there is one, bias (gates * units,), of a GRU with ``reset_after`` (2,
            gates * units); of a ``Bidirectional`` layer both directions', one after the other. For stacked layers, a
            list of such lists: what ``model.get_weights()`` returns does not tell two layers from two directions.
        nonlinearity: a SimpleRNN's ``activation``, ``"tanh"`` or ``"relu"``. A GRU and an LSTM have Keras's default
            activations.
        batch_first: Keras's layers are.
        reset_after: a GRU's, whose default in Keras is True; None: as its bias says. Without it, the reset gate comes
            before the recurrent product: NumPy computes that, to no promised bits, and it cannot be saved.

    Returns:
        An :class:`RNN`, a :class:`GRU` or an :class:`LSTM`.

    Raises:
        InputError: the arrays are no such layer's, or the arguments contradict them; the message says which.

    Example:
        >>> import numpy as np, elman
        >>> kernel, recurrent_kernel, bias = np.ones((2, 12)), np.ones((3, 12)), np.zeros(12)
        >>> lstm = elman.runtime.from_keras([kernel, recurrent_kernel, bias])
        >>> lstm
        LSTM(2, 3, batch_first=True, float64)
        >>> output, (h_n, c_n) = lstm(np.ones((4, 5, 2)))
        >>> output.shape
        (4, 5, 3)
    """
    layers = _layers(weights)
    each = len(layers[0])
    directions, bias = (2 if each > 3 else 1), each % 3 == 0
    parts: dict[tuple[int, int], list[Array]] = {}
    for number, layer in enumerate(layers):
        place = f"weights[{number}]" if len(layers) > 1 else "weights"
        arrays = [as_array(array, f"{place}[{i}]") for i, array in enumerate(layer)]
        for direction in range(directions):
            parts[number, direction] = arrays[direction * each // directions : (direction + 1) * each // directions]
    family = family_of({"weight_hh_l0": parts[0, 0][1].shape[::-1]}) or FAMILIES["rnn"]
    after = _is_reset_after(family, reset_after, parts[0, 0][2] if bias else None)
    parameters: dict[str, Array] = {}
    for (number, direction), of in parts.items():
        place = f"weights[{number}]" if len(layers) > 1 else "weights"
        values = _values(of, place, direction * len(of), family, after)
        parameters |= dict(zip(parameter_names(number, direction, bias), values, strict=True))
    if family.name == "rnn":
        return RNN(parameters, nonlinearity, batch_first)
    if nonlinearity != "tanh":
        raise InputError(f"nonlinearity: expected 'tanh' for {family.named}, got {shown(nonlinearity)}")
    network: Network = (NETWORKS[family.name] if after else ResetFirstGRU)(parameters, batch_first)
    return network


def _layers(weights: Any) -> list[Sequence[Any]]:
    """Return the arrays of each layer, as many in each."""
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
    return layers


def _is_reset_after(family: Family, given: bool | None, bias: Array | None) -> bool:
    """Whether a GRU's reset gate comes after the recurrent product, as its bias says or, without one, the caller."""
    if given is not None and not isinstance(given, bool):
        raise InputError(f"reset_after: expected None, True or False, got {shown(given)}")
    if family.name != "gru":
        if given is not None:
            raise InputError(f"reset_after: expected None for {family.named}, got {given}")
        return True
    own = given if bias is None else bias.ndim == 2
    if own is None:
        raise InputError("reset_after: expected True or False for a GRU without biases, got None")
    if given not in (None, own):
        raise InputError(f"reset_after: expected {own}, as the shape of the bias says, got {given}")
    return own


def _values(arrays: Sequence[Array], place: str, first: int, family: Family, reset_after: bool) -> list[Array]:
    """Return the parameters of one layer and direction as PyTorch has them.

    Args:
        arrays: as Keras has them.
        place, first: what messages call them: ``place[first]`` and so on.
        family, reset_after: of the cell.
    """
    kernel, recurrent, *bias = arrays
    gates = len(family.gates)
    if kernel.ndim != 2 or kernel.shape[1] % gates:
        columns = "units" if gates == 1 else f"{gates} * units"
        raise InputError(f"{place}[{first}]: expected the shape (input_size, {columns}), got {shown(kernel.shape)}")
    columns = kernel.shape[1]
    two = family.name == "gru" and reset_after  # the bias of the input and the recurrent one
    shapes = (columns // gates, columns), (2, columns) if two else (columns,)
    for i, (array, shape) in enumerate(zip(arrays[1:], shapes, strict=False), first + 1):
        if array.shape != shape:
            raise InputError(f"{place}[{i}]: expected the shape {shape}, got {shown(array.shape)}")
    if bias:
        bias = list(bias[0]) if two else [bias[0], np.zeros_like(bias[0])]
    order = family.keras_gates, family.gates
    return [reorder_gates(array, *order) for array in (kernel.T, recurrent.T, *bias)]
