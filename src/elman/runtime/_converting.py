"""Networks from PyTorch."""

from collections.abc import Mapping
from typing import Any

from elman._cells import FAMILIES
from elman._errors import InputError, shown
from elman.runtime._arrays import Array
from elman.runtime._network import Network
from elman.runtime._parameters import NAMES, Sizes, as_parameters, family_of, state_names
from elman.runtime._rnn import NETWORKS, RNN, network_of

__all__ = ["as_network"]

_MODES = {mode: cell for family in FAMILIES.values() for mode, cell in family.modes.items()}


def as_network(
    network: Any, nonlinearity: str | None = None, batch_first: bool | None = None, residual: bool | None = None
) -> Network:
    """Return what runs a network without PyTorch.

    Args:
        network: a ``torch.nn.RNN``, ``GRU`` or ``LSTM`` or a cell of these, or :mod:`elman.nn`'s; parameters by name, a
            ``state_dict``; or a network of the runtime, which is returned as it is.
        nonlinearity, batch_first, residual: what parameters do not say; None: tanh and False, or as the module has
            them.

    Raises:
        InputError: it is none of these, or the arguments contradict it.
    """
    options = {"nonlinearity": nonlinearity, "batch_first": batch_first, "residual": residual}
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(network, Mapping):
        arrays = as_parameters(network)
        kind = _class_by_shapes(arrays)
        _refuse_nonlinearity(kind, nonlinearity)
        made: Network = kind(arrays, **given)
        return made
    made = network if isinstance(network, Network) else _of_module(network)
    _refuse_nonlinearity(made, nonlinearity)
    for name, value in given.items():
        if value != (own := getattr(made, name)):
            raise InputError(f"{name}: expected None or the network's own, {own!r}, got {shown(value)}")
    return made


def _refuse_nonlinearity(network: Any, nonlinearity: str | None) -> None:
    if nonlinearity is not None and "nonlinearity" not in network.options:
        raise InputError(f"nonlinearity: expected None for {network.family.named}, got {shown(nonlinearity)}")


def _of_module(module: Any) -> Network:
    if hasattr(module, "cell") and hasattr(module, "state_dict"):
        from elman.cells import Cell

        if isinstance(module.cell, Cell):
            return _of_own(module)
    names = getattr(module, "_flat_weights_names", None) or [name for name in NAMES if _has(module, name)]
    if hasattr(module, "state_dict") and names:
        layers, directions = getattr(module, "num_layers", 0), 2 if getattr(module, "bidirectional", False) else 1
        learned = (state_names(letter, layer, directions) for letter in "hc" for layer in range(layers))
        names = [*names, *(name for each in learned for name in each if name not in names and _has(module, name))]
        # attributes, not the state_dict: a parametrized or pruned weight is what it comes to
        arrays = as_parameters({name: getattr(module, name) for name in names})
        options = {"batch_first": getattr(module, "batch_first", False)}
        options["residual"] = getattr(module, "residual", False) is True
        if getattr(module, "mode", None) in _MODES:  # what PyTorch's layers go by; cells have none
            return network_of(_MODES[module.mode], arrays, **options)
        kind = _class_by_shapes(arrays)
        if "nonlinearity" not in kind.options:
            gated: Network = kind(arrays, **options)
            return gated
        if hasattr(module, "nonlinearity"):
            return RNN(arrays, module.nonlinearity, **options)
    kind_of_module = f"{type(module).__module__}.{type(module).__name__}"
    raise InputError(
        f"network: expected an RNN, GRU or LSTM, a cell of these or parameters by name, got {kind_of_module}"
    )


def _of_own(module: Any) -> Network:
    """An :class:`elman.nn.Recurrent`, with what its cell draws while it is not trained as a part of the program."""
    from elman.runtime._own import Recurrent, family_of_program

    drawn = {}
    for name, kind in module.cell.program.inputs.items():
        if kind != "unit":
            values = module.cell._drawn(name, module.weight_ih_l0.new_empty(64, module._widths[0]), False)
            if values is None or not (values == values[0, 0]).all():
                raise InputError(
                    f"{name}: expected a number that stands for it at inference, but {type(module.cell).__name__}'s "
                    "draw(…, training=False) gives none"
                )
            drawn[name] = float(values[0, 0])
    program = module.cell.program.with_numbers(drawn)
    sizes = Sizes(
        module.input_size,
        module._widths,
        module.bidirectional,
        module.bias,
        family_of_program(program),
        module.learn_initial_state,
    )
    arrays = {name: getattr(module, name) for name in sizes.shapes()}
    return Recurrent(arrays, program, module.batch_first, residual=module.residual)


def _class_by_shapes(arrays: Mapping[str, Array]) -> Any:
    family = family_of({name: array.shape for name, array in arrays.items()})
    return NETWORKS[family.name] if family else RNN


def _has(module: Any, name: str) -> bool:
    return getattr(module, name, None) is not None
