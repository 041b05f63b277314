"""The recurrent networks of the runtime, a class for each family of cells."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, TypeVar

from elman._cells import FAMILIES
from elman._errors import InputError, shown
from elman._names import take_over
from elman.runtime._network import Network

__all__ = ["GRU", "LSTM", "NETWORKS", "RNN", "class_of", "network_of"]

Kind = TypeVar("Kind", bound=Network)


class RNN(Network):
    r"""A trained Elman network, on NumPy and the engine alone.

    .. math::
        h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    The same bits as :class:`elman.nn.RNN` gives, over whole sequences, in chunks, in any batch, or step by step.
    Immutable: threads may share one.

    Args:
        parameters: arrays by PyTorch's names, all float32 or all float64: ``weight_ih_l0`` (hidden_size, input_size),
            ``weight_hh_l0`` (hidden_size, hidden_size), ``bias_ih_l0``, ``bias_hh_l0`` (hidden_size), and so on with
            ``_l1`` for the next layer, which may be of another width, and ``_reverse`` for a second direction; besides,
            the initial states if they are learned, ``h_0_l0`` (hidden_size,) and so on. A ``state_dict`` will do.
            Copied.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        batch_first: input and output are (batch, steps, features), not (steps, batch, features).
        residual: a layer's input is added to its output, from the second layer on, where they are as wide.

    Attributes:
        input_size, hidden_size, num_layers, bidirectional, bias, learn_initial_state: read off names and shapes;
            hidden_size is a tuple, one width a layer, where layers differ.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: a ValueError that names the array which does not fit, what was expected and what came.

    Example:
        >>> import numpy as np, elman
        >>> draw = np.random.default_rng(0).uniform
        >>> shapes = {"weight_ih_l0": (3, 2), "weight_hh_l0": (3, 3), "bias_ih_l0": (3,), "bias_hh_l0": (3,)}
        >>> rnn = elman.runtime.RNN({name: draw(-1, 1, shape) for name, shape in shapes.items()})
        >>> output, h_n = rnn(draw(-1, 1, (5, 4, 2)))
        >>> output.shape, h_n.shape
        ((5, 4, 3), (1, 4, 3))

    Source: J. L. Elman, "Finding structure in time" (1990).
    """

    family = FAMILIES["rnn"]
    options = ("nonlinearity", "batch_first")

    def __init__(
        self,
        parameters: Mapping[str, Any],
        nonlinearity: str = "tanh",
        batch_first: bool = False,
        *,
        residual: bool = False,
    ) -> None:
        if not isinstance(nonlinearity, str) or nonlinearity not in self.family.modes.values():
            raise InputError(f"nonlinearity: expected 'tanh' or 'relu', got {shown(nonlinearity)}")
        super().__init__(parameters, nonlinearity, batch_first, residual)
        self.nonlinearity = nonlinearity

    @classmethod
    def load(
        cls: type[Kind],
        path: str | PathLike[str],
        nonlinearity: str | None = None,
        batch_first: bool | None = None,
        *,
        residual: bool | None = None,
    ) -> Kind:
        """Read a network from a safetensors file that :func:`elman.save` wrote.

        Args:
            path: the file.
            nonlinearity, batch_first, residual: for a file that does not say, because something else wrote it; residual
                None: False.

        Raises:
            InputError: it is no such file, or damaged, or holds no network of this kind.
        """
        from elman.runtime._saving import load_network

        network: Kind = load_network(path, cls, nonlinearity=nonlinearity, batch_first=batch_first, residual=residual)
        return network


class _Gated(Network):
    """A family of one cell, that of PyTorch's only mode."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "family" in vars(cls):
            take_over(cls, "__init__", "load")

    def __init__(self, parameters: Mapping[str, Any], batch_first: bool = False, *, residual: bool = False) -> None:
        [cell] = self.family.modes.values()
        super().__init__(parameters, cell, batch_first, residual)

    @classmethod
    def load(
        cls: type[Kind],
        path: str | PathLike[str],
        batch_first: bool | None = None,
        *,
        residual: bool | None = None,
    ) -> Kind:
        """Read a network from a safetensors file that :func:`elman.save` wrote.

        Args:
            path: the file.
            batch_first, residual: for a file that does not say, because something else wrote it; residual None: False.

        Raises:
            InputError: it is no such file, or damaged, or holds no network of this kind.
        """
        from elman.runtime._saving import load_network

        network: Kind = load_network(path, cls, batch_first=batch_first, residual=residual)
        return network


class GRU(_Gated):
    r"""A trained network of gated recurrent units, on NumPy and the engine alone.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The same bits as :class:`elman.nn.GRU` gives; all else is as with :class:`RNN`.

    Args:
        parameters: as for :class:`RNN`, with a row for each unit of each gate, in PyTorch's order r, z, n:
            ``weight_ih_l0`` (3 * hidden_size, input_size), ``weight_hh_l0`` (3 * hidden_size, hidden_size), biases
            (3 * hidden_size).
        batch_first, residual: as for :class:`RNN`.

    Attributes:
        input_size, hidden_size, num_layers, bidirectional, bias, learn_initial_state: as of :class:`RNN`.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: a ValueError that names the array which does not fit, what was expected and what came.

    Example:
        >>> import numpy as np, elman
        >>> draw = np.random.default_rng(0).uniform
        >>> shapes = {"weight_ih_l0": (9, 2), "weight_hh_l0": (9, 3), "bias_ih_l0": (9,), "bias_hh_l0": (9,)}
        >>> gru = elman.runtime.GRU({name: draw(-1, 1, shape) for name, shape in shapes.items()})
        >>> output, h_n = gru(draw(-1, 1, (5, 4, 2)))
        >>> output.shape, h_n.shape
        ((5, 4, 3), (1, 4, 3))

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation" (2014), with the recurrent bias inside the reset.
    """

    family = FAMILIES["gru"]


class LSTM(_Gated):
    r"""A trained network of long short-term memory, on NumPy and the engine alone.

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The same bits as :class:`elman.nn.LSTM` gives; all else is as with :class:`RNN`, with the pair (h, c) in the place
    of h: initial and final states, and a stream's.

    Args:
        parameters: as for :class:`RNN`, with a row for each unit of each gate, in PyTorch's order i, f, g, o:
            ``weight_ih_l0`` (4 * hidden_size, input_size), ``weight_hh_l0`` (4 * hidden_size, hidden_size), biases
            (4 * hidden_size); of initial states ``h_0_l0`` and ``c_0_l0`` (hidden_size,). Those of an LSTM with a
            projection (``proj_size``) are refused.
        batch_first, residual: as for :class:`RNN`.

    Attributes:
        input_size, hidden_size, num_layers, bidirectional, bias, learn_initial_state: as of :class:`RNN`.
        dtype: of parameters, inputs and outputs.

    Raises:
        InputError: a ValueError that names the array which does not fit, what was expected and what came.

    Example:
        >>> import numpy as np, elman
        >>> draw = np.random.default_rng(0).uniform
        >>> shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
        >>> lstm = elman.runtime.LSTM({name: draw(-1, 1, shape) for name, shape in shapes.items()})
        >>> output, (h_n, c_n) = lstm(draw(-1, 1, (5, 4, 2)))
        >>> output.shape, h_n.shape, c_n.shape
        ((5, 4, 3), (1, 4, 3), (1, 4, 3))

    Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory" (1997); F. A. Gers, J. Schmidhuber and
    F. Cummins, "Learning to forget" (2000).
    """

    family = FAMILIES["lstm"]


NETWORKS: dict[str, Any] = {kind.family.name: kind for kind in (RNN, GRU, LSTM)}  # by the family's name


def class_of(cell: str) -> Any:
    """Return the class of a cell by the engine's name for it."""
    return next(kind for kind in NETWORKS.values() if cell in kind.family.modes.values())


def network_of(cell: str, parameters: Mapping[str, Any], batch_first: bool = False, residual: bool = False) -> Network:
    """Return the network of a cell.

    Args:
        cell: the engine's name for it: ``"tanh"``, ``"relu"``, ``"gru"`` or ``"lstm"``.
        parameters, batch_first, residual: as for :class:`RNN`.

    Raises:
        InputError: the parameters are no such network's.
    """
    kind, given = class_of(cell), {"nonlinearity": cell, "batch_first": batch_first}
    options = {name: given[name] for name in kind.options}
    network: Network = kind(parameters, **options, residual=residual)
    return network
