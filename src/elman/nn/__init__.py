"""``RNN``, ``GRU`` and ``LSTM``, their cells, and ``Linear``: ``torch.nn``'s, on the engine of this library.

Whatever the engine does not take (other devices and dtypes, transforms, wrong arguments) goes to PyTorch's own
implementation, whose results, warnings and errors are therefore the same to the letter. ``elman.nn.init`` sets what
their weights begin with, ``elman.nn.parametrizations`` what holds of them while they learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elman._extras import TORCH

with TORCH.needed_by(__name__):
    import torch  # noqa: F401

from elman.nn import _dynamo, _linear, _pytorch
from elman.nn import init as init
from elman.nn import parametrizations as parametrizations
from elman.nn._convert import convert
from elman.nn._in_torch import in_torch, install, uninstall
from elman.nn._on_gpus import follow_environment, use_cuda_engine
from elman.nn._onnx import follow_onnx, onnx_translations
from elman.nn._own import Recurrent
from elman.nn._parameters import constructor
from elman.nn._quantization import follow_quantization
from elman.nn._recurrent import Cell, Layer

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "RNNCell",
    "Recurrent",
    "convert",
    "in_torch",
    "install",
    "onnx_translations",
    "uninstall",
    "use_cuda_engine",
]


def __dir__() -> list[str]:
    return sorted({*__all__, "init", "parametrizations"})


# The classes stand here, and not in files of their own: pickles name a class's module, and PyTorch reads its source.
# Their forward pass does not: _recurrent.py has it, once for all of them, and _linear.py.


class RNN(Layer, _pytorch.RNN, family="rnn"):
    r"""A multi-layer Elman network: :class:`torch.nn.RNN`, faster, more exact, and the same bits whatever the batch.

    .. math::
        h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    One output is the same sequence of operations however it comes about: alone or in any batch, on any number of
    threads, padded or packed, whole or in chunks with ``h_n`` carried over, by this layer or by :class:`RNNCell`.

    Args:
        input_size: features of an input row.
        hidden_size: features of a hidden state; or a list of widths, one for each layer.
        num_layers: layers, each reading the output of the one before. Default: 1, or as many as there are widths.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default: ``"tanh"``.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        batch_first: input and output are ``(batch, steps, features)``. Default: False.
        dropout: probability of dropping an element of a layer's output, on all layers but the last, while
            training. Default: 0.
        bidirectional: a second direction from the last step to the first. Default: False.
        learn_initial_state: whether there is a learned state in which every sequence begins whose ``h_0`` is not
            given, and which resets go back to. Default: False.
        residual: whether a layer's input, after dropout, is added to its output, from the second layer on, where the
            two have as many features. Default: False.
        device, dtype: of the parameters.

    Inputs: ``input, h_0, *, lengths, resets, return_states``
        * **input**: ``(steps, input_size)``, ``(steps, batch, input_size)``, ``(batch, steps, input_size)`` with
          ``batch_first``, or a :class:`torch.nn.utils.rnn.PackedSequence`.
        * **h_0**: ``(directions * num_layers, batch, hidden_size)``, without ``batch`` for unbatched input; with a
          list of widths a tuple of ``(directions, batch, width)``, one for each layer. Default: the learned state, or
          zeros.
        * **lengths**: how many steps of each sequence there are, ``(batch)`` integers from 0 to ``steps`` (one, for
          unbatched input): a tensor, an array or a list. What lies behind them is not read, its gradient is zeros.
        * **resets**: ``(steps, batch)`` booleans, ``(batch, steps)`` with ``batch_first``: before a flagged step the
          state becomes the learned one, or zeros. In one direction alone.
        * **return_states**: whether every layer's states come third. Default: False.

    Outputs: ``output, h_n``, and with ``return_states`` ``states``
        * **output**: the last layer's hidden states, shaped as the input, with ``directions * hidden_size``
          features: the forward direction's, then the reverse one's. Behind a sequence's end zeros.
        * **h_n**: each sequence's final states, shaped as ``h_0``, layer by layer, forward before reverse.
        * **states**: a tuple of each layer's hidden states, before dropout and residual, shaped as ``output`` would
          be with that layer's width.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]: the parameters of layer k, with the suffix
            ``_reverse`` those of its reverse direction. Initially uniform in ``±1 / sqrt(hidden_size)``.
        h_0_l[k]: with ``learn_initial_state`` the layer's initial state ``(hidden_size)``, with the suffix
            ``_reverse`` the reverse direction's. Initially zeros.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.RNN` does, in the same words.
        ValueError: in one line, for lengths and resets that cannot be, and arguments that make no sense together:
            ``resets`` with ``bidirectional``, ``lengths`` or ``resets`` with packed input.

    Example::

        >>> import torch
        >>> from elman.nn import RNN
        >>> rnn = RNN(input_size=10, hidden_size=20, num_layers=2)
        >>> output, h_n = rnn(torch.randn(5, 3, 10), torch.randn(2, 3, 20))
        >>> output.shape, h_n.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
        >>> output, h_n = rnn(torch.randn(5, 3, 10), lengths=[5, 2, 0])
        >>> bool(output[2:, 1:].any() or h_n[:, 2].any())
        False

    Sources: J. L. Elman, "Finding structure in time" (1990); the page of :class:`torch.nn.RNN`.
    """

    @constructor
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: Any = None,
        dtype: Any = None,
        learn_initial_state: bool = False,
        residual: bool = False,
    ) -> None: ...


class GRU(Layer, _pytorch.GRU, family="gru"):
    r"""A multi-layer gated recurrent unit: :class:`torch.nn.GRU`, with what :class:`RNN` promises.

    .. math::
        r_t = \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t = \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t = \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see :class:`RNN`.
        learn_initial_state, residual, device, dtype: see :class:`RNN`.

    Inputs, outputs: those of :class:`RNN`.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]: as of :class:`RNN`, with ``3 * hidden_size`` rows:
            those of r, of z and of n.
        h_0_l[k]: as of :class:`RNN`.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.GRU` does, in the same words, and as :class:`RNN`.

    Example::

        >>> import torch
        >>> from elman.nn import GRU
        >>> gru = GRU(input_size=10, hidden_size=20, num_layers=2)
        >>> output, h_n = gru(torch.randn(5, 3, 10), torch.randn(2, 3, 20))
        >>> output.shape, h_n.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))

    Sources: K. Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014); the page of
    :class:`torch.nn.GRU`.
    """


class LSTM(Layer, _pytorch.LSTM, family="lstm"):
    r"""A multi-layer long short-term memory: :class:`torch.nn.LSTM`, with what :class:`RNN` promises.

    .. math::
        i_t = \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t = \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t = \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t = \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t = f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t = o_t \odot \tanh(c_t)

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see :class:`RNN`.
        learn_initial_state, residual, device, dtype: see :class:`RNN`.
        proj_size: with any but 0, the default, the layer runs on PyTorch's own kernels, and takes PyTorch's arguments
            alone.

    Inputs: ``input, (h_0, c_0), *, lengths, resets, return_states``
        * **input**, **lengths**, **resets**, **return_states**: as :class:`RNN`'s.
        * **h_0**, **c_0**: each shaped as :class:`RNN`'s ``h_0``. Default: the learned states, or zeros.

    Outputs: ``output, (h_n, c_n)``, and with ``return_states`` ``states``
        * **output**, **h_n**: as :class:`RNN`'s.
        * **c_n**: each sequence's final cell states, shaped as ``h_n``.
        * **states**: a tuple of a pair for each layer, its hidden states and its cell states, each shaped as
          :class:`RNN`'s.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]: as of :class:`RNN`, with ``4 * hidden_size`` rows:
            those of i, of f, of g and of o.
        h_0_l[k], c_0_l[k]: with ``learn_initial_state`` the layer's initial states, as of :class:`RNN`.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.LSTM` does, in the same words, and as :class:`RNN`.

    Example::

        >>> import torch
        >>> from elman.nn import LSTM
        >>> lstm = LSTM(input_size=10, hidden_size=20, num_layers=2)
        >>> output, (h_n, c_n) = lstm(torch.randn(5, 3, 10))
        >>> output.shape, h_n.shape, c_n.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))

    Sources: S. Hochreiter and J. Schmidhuber, "Long short-term memory" (1997); F. Gers et al., "Learning to forget"
    (2000); the page of :class:`torch.nn.LSTM`.
    """

    @constructor
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        learn_initial_state: bool = False,
        residual: bool = False,
    ) -> None: ...


class RNNCell(Cell, _pytorch.RNNCell, family="rnn"):
    r"""One step of an Elman network: :class:`torch.nn.RNNCell`, bit for bit a step of :class:`RNN`.

    .. math::
        h' = \tanh(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})

    Args:
        input_size: features of an input row.
        hidden_size: features of the hidden state.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default: ``"tanh"``.
        device, dtype: of the parameters.

    Inputs: ``input, hidden, *, reset``
        * **input**: ``(batch, input_size)`` or ``(input_size)``.
        * **hidden**: ``(batch, hidden_size)`` or ``(hidden_size)``. Default: zeros.
        * **reset**: ``(batch)`` booleans, or one: whether the row begins from zeros, whatever ``hidden`` says.

    Outputs: ``h'``, shaped as ``hidden``.

    Attributes:
        weight_ih, weight_hh, bias_ih, bias_hh: the parameters. Initially uniform in ``±1 / sqrt(hidden_size)``.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.RNNCell` does, in the same words; a ValueError for other flags.

    Example::

        >>> import torch
        >>> from elman.nn import RNNCell
        >>> cell = RNNCell(10, 20)
        >>> state = torch.zeros(3, 20)
        >>> for x_t in torch.randn(6, 3, 10):
        ...     state = cell(x_t, state)
        >>> state.shape
        torch.Size([3, 20])

    Sources: J. L. Elman, "Finding structure in time" (1990); the page of :class:`torch.nn.RNNCell`.
    """


class GRUCell(Cell, _pytorch.GRUCell, family="gru"):
    """One step of a gated recurrent unit: :class:`torch.nn.GRUCell`, bit for bit a step of :class:`GRU`.

    Args:
        input_size: features of an input row.
        hidden_size: features of the hidden state.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        device, dtype: of the parameters.

    Inputs: ``input, hidden, *, reset``, and outputs: those of :class:`RNNCell`.

    Attributes:
        weight_ih, weight_hh, bias_ih, bias_hh: the parameters, of ``3 * hidden_size`` rows: those of r, of z and of n.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.GRUCell` does, in the same words; a ValueError for other flags.

    Example::

        >>> import torch
        >>> from elman.nn import GRUCell
        >>> cell, state = GRUCell(10, 20), torch.zeros(3, 20)
        >>> for x_t in torch.randn(6, 3, 10):
        ...     state = cell(x_t, state)
        >>> state.shape
        torch.Size([3, 20])
    """


class LSTMCell(Cell, _pytorch.LSTMCell, family="lstm"):
    """One step of a long short-term memory: :class:`torch.nn.LSTMCell`, bit for bit a step of :class:`LSTM`.

    Args:
        input_size: features of an input row.
        hidden_size: features of each state.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        device, dtype: of the parameters.

    Inputs: ``input, (h, c), *, reset``
        * **input**: ``(batch, input_size)`` or ``(input_size)``.
        * **h**, **c**: ``(batch, hidden_size)`` or ``(hidden_size)``. Default: zeros.
        * **reset**: as :class:`RNNCell`'s.

    Outputs: ``(h', c')``, each shaped as ``h``.

    Attributes:
        weight_ih, weight_hh, bias_ih, bias_hh: the parameters, of ``4 * hidden_size`` rows: those of i, of f, of g and
            of o.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.LSTMCell` does, in the same words; a ValueError for other flags.

    Example::

        >>> import torch
        >>> from elman.nn import LSTMCell
        >>> cell, states = LSTMCell(10, 20), None
        >>> for x_t in torch.randn(6, 3, 10):
        ...     states = cell(x_t, states)
        >>> states[0].shape, states[1].shape
        (torch.Size([3, 20]), torch.Size([3, 20]))
    """


class Linear(_linear.Linear):
    r"""A linear layer: :class:`torch.nn.Linear`, whose rows are the same bits in any batch.

    .. math::
        y = x W^T + b

    Beside :class:`RNN` it makes the whole of a model independent of the batch; ``torch.nn.Linear`` picks its order of
    summation by the number of rows.

    Args:
        in_features: features of an input row.
        out_features: features of an output row.
        bias: whether ``b`` exists. Default: True.
        device, dtype: of the parameters.

    Inputs: ``input`` (\*, in_features), any number of leading dimensions.

    Outputs: (\*, out_features).

    Attributes:
        weight: (out_features, in_features). bias: (out_features,). Initially as in :class:`torch.nn.Linear`.

    Raises:
        RuntimeError: as :class:`torch.nn.Linear` does, in the same words.

    Example::

        >>> import torch
        >>> from elman.nn import Linear
        >>> linear, x = Linear(64, 5), torch.randn(3, 64)
        >>> bool((linear(x)[:1] == linear(x[:1])).all())
        True
    """


follow_environment()
follow_quantization()
_dynamo.let_in(Layer)
for kind in (Layer, Cell, Recurrent):
    _dynamo.take_as_constant(kind.extra_repr)
follow_onnx()
