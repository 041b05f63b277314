"""``RNN``, ``RNNCell`` and ``Linear``: ``torch.nn``'s, on the engine of this library.

Whatever the engine does not take (other devices and dtypes, transforms, wrong arguments) goes to PyTorch's own
implementation, whose results, warnings and errors are therefore the same to the letter.
"""

from __future__ import annotations

from typing import Any

from elman._extras import TORCH

with TORCH.needed_by(__name__):
    import torch
    from torch import Tensor
    from torch.nn.functional import dropout
    from torch.nn.utils.rnn import PackedSequence

from elman import _gate, ops
from elman.nn import _fx, _pytorch
from elman.nn._convert import convert
from elman.nn._in_torch import in_torch, install, uninstall
from elman.nn._quantization import follow_quantization

__all__ = ["RNN", "Linear", "RNNCell", "convert", "in_torch", "install", "uninstall"]

# The classes stand here, and not in files of their own: pickles name a class's module, and PyTorch reads its source.
# PyTorch's are called by name, not by super(): torch.compile of PyTorch 2.15 knows its own layers by their classes.

# RNN goes by its mode alone, as PyTorch's does.
_NONLINEARITIES = {"RNN_TANH": "tanh", "RNN_RELU": "relu"}
_CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class RNN(_pytorch.RNN):
    r"""A multi-layer Elman network: :class:`torch.nn.RNN`, faster, more exact, and the same bits whatever the batch.

    .. math::
        h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    One output is the same sequence of operations however it comes about: alone or in any batch, on any number of
    threads, padded or packed, whole or in chunks with ``h_n`` carried over, by this layer or by :class:`RNNCell`.

    Args:
        input_size: features of an input row.
        hidden_size: features of a hidden state.
        num_layers: layers, each reading the output of the one before. Default: 1.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default: ``"tanh"``.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        batch_first: input and output are ``(batch, steps, features)``. Default: False.
        dropout: probability of dropping an element of a layer's output, on all layers but the last, while
            training. Default: 0.
        bidirectional: a second direction from the last step to the first. Default: False.
        device, dtype: of the parameters.

    Inputs: ``input, h_0``
        * **input**: ``(steps, input_size)``, ``(steps, batch, input_size)``, ``(batch, steps, input_size)`` with
          ``batch_first``, or a :class:`torch.nn.utils.rnn.PackedSequence`.
        * **h_0**: ``(directions * num_layers, batch, hidden_size)``, without ``batch`` for unbatched input.
          Default: zeros.

    Outputs: ``output, h_n``
        * **output**: the last layer's hidden states, shaped as the input, with ``directions * hidden_size``
          features: the forward direction's, then the reverse one's.
        * **h_n**: each sequence's final states, shaped as ``h_0``, layer by layer, forward before reverse.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]: the parameters of layer k, with the suffix
            ``_reverse`` those of its reverse direction. Initially uniform in ``±1 / sqrt(hidden_size)``.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.RNN` does, in the same words.

    Example::

        >>> import torch
        >>> from elman.nn import RNN
        >>> rnn = RNN(input_size=10, hidden_size=20, num_layers=2)
        >>> output, h_n = rnn(torch.randn(5, 3, 10), torch.randn(2, 3, 20))
        >>> output.shape, h_n.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))

    Sources: J. L. Elman, "Finding structure in time" (1990); the page of :class:`torch.nn.RNN`.
    """

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:
        if _gate.nothing_intercepts():
            results: Any = None
            if type(input) is PackedSequence:
                results = self._run_packed(input, hx)
            elif isinstance(input, Tensor):
                results = self._run_padded(input, hx)
            if results is not None:
                return results
        if _fx.traces(self, input):
            return _fx.leaf(self, input, hx)
        return _pytorch.RNN.forward(self, input, hx)

    # What the engine does not take, the next three answer with None.

    def _run_padded(self, input: Tensor, hx: Tensor | None) -> tuple[Tensor, Tensor] | None:
        weights = self._admitted_weights(input, hx)
        if weights is None:
            return None
        shape = input.shape
        batched, steps_axis = len(shape) == 3, 1 if self.batch_first and len(shape) == 3 else 0
        if not (batched or len(shape) == 2) or shape[steps_axis] == 0:
            return None
        if hx is not None and hx.shape != self._shape_of_states(*shape[1 - steps_axis : -1 - steps_axis]):
            return None
        if not batched:
            output, h_n = self._run(input.unsqueeze(1), None, None if hx is None else hx.unsqueeze(1), weights)
            return output.squeeze(1), h_n.squeeze(1)
        return self._run(input.transpose(0, 1) if steps_axis else input, None, hx, weights, steps_axis == 1)

    def _run_packed(self, packed: PackedSequence, hx: Tensor | None) -> tuple[PackedSequence, Tensor] | None:
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        weights = self._admitted_weights(data, hx)
        if weights is None or data.dim() != 2:
            return None
        # batch sizes that no packing makes are PyTorch's to refuse
        if not _gate.is_plain(batch_sizes) or batch_sizes.dim() != 1 or batch_sizes.dtype is not torch.int64:
            return None
        sizes = batch_sizes.tolist()
        if not sizes or sizes[-1] < 1 or sizes != sorted(sizes, reverse=True) or sum(sizes) != data.shape[0]:
            return None
        if hx is not None:
            if hx.shape != self._shape_of_states(sizes[0]):
                return None
            hx = self.permute_hidden(hx, sorted_indices)
        output, h_n = self._run(data, batch_sizes.contiguous(), hx, weights)
        packed_output = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed_output, self.permute_hidden(h_n, unsorted_indices)

    def _admitted_weights(self, input: Tensor, hx: Tensor | None) -> list[Tensor] | None:
        """The weights, if the engine may be handed them, the input and hx; their other sizes are left to check."""
        sizes = self.input_size, self.hidden_size, self.num_layers, self.bidirectional, self.bias
        weights: list[Any] = [*map(self._parameters.get, self._flat_weights_names)]
        if not _gate.admits(input, hx, weights, *sizes):
            self._update_flat_weights()  # parametrized and the like: those are found as PyTorch finds them
            weights = [*self._flat_weights]
            if not _gate.admits(input, hx, weights, *sizes):
                return None
        return weights if self.mode in _NONLINEARITIES else None

    def _shape_of_states(self, *batch: int) -> tuple[int, ...]:
        return self.num_layers * (2 if self.bidirectional else 1), *batch, self.hidden_size

    def _run(
        self,
        input: Tensor,
        batch_sizes: Tensor | None,
        hx: Tensor | None,
        weights: list[Tensor],
        output_batch_first: bool = False,
    ) -> tuple[Tensor, Tensor]:
        layers, directions, nonlinearity = self.num_layers, 2 if self.bidirectional else 1, _NONLINEARITIES[self.mode]
        if layers == 1:
            return ops.layer(
                input, batch_sizes, hx, weights, self.hidden_size, nonlinearity, directions, output_batch_first
            )
        each = len(weights) // layers
        final_states = []
        for index in range(layers):
            if index and self.dropout and self.training:
                input = dropout(input, self.dropout, True)
            input, h_n = ops.layer(
                input,
                batch_sizes,
                None if hx is None else hx[index * directions : (index + 1) * directions],
                weights[index * each : (index + 1) * each],
                self.hidden_size,
                nonlinearity,
                directions,
                output_batch_first and index == layers - 1,
            )
            final_states.append(h_n)
        return input, torch.cat(final_states)

    def __prepare_scriptable__(self) -> _pytorch.RNN:
        """What ``torch.jit.script`` compiles: TorchScript cannot call the engine, PyTorch's layer it knows."""
        return _pytorch.twin(self, _pytorch.RNN)


class RNNCell(_pytorch.RNNCell):
    r"""One step of an Elman network: :class:`torch.nn.RNNCell`, bit for bit a step of :class:`RNN`.

    .. math::
        h' = \tanh(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})

    Args:
        input_size: features of an input row.
        hidden_size: features of the hidden state.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default: ``"tanh"``.
        device, dtype: of the parameters.

    Inputs: ``input, hidden``
        * **input**: ``(batch, input_size)`` or ``(input_size)``.
        * **hidden**: ``(batch, hidden_size)`` or ``(hidden_size)``. Default: zeros.

    Outputs: ``h'``, shaped as ``hidden``.

    Attributes:
        weight_ih, weight_hh, bias_ih, bias_hh: the parameters. Initially uniform in ``±1 / sqrt(hidden_size)``.

    Raises:
        ValueError, RuntimeError: as :class:`torch.nn.RNNCell` does, in the same words.

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

    def forward(self, input: Any, hx: Tensor | None = None) -> Tensor:
        if _gate.nothing_intercepts() and isinstance(input, Tensor):
            state = self._run(input, hx)
            if state is not None:
                return state
        if _fx.traces(self, input):
            return _fx.leaf(self, input, hx)  # type: ignore[return-value]
        return _pytorch.RNNCell.forward(self, input, hx)

    def _run(self, input: Tensor, hx: Tensor | None) -> Tensor | None:
        """The state after this step; None where the engine does not take it."""
        sizes = self.input_size, self.hidden_size, 1, False, self.bias
        names = _CELL_WEIGHTS if self.bias else _CELL_WEIGHTS[:2]
        weights: list[Any] = [*map(self._parameters.get, names)]
        if not _gate.admits(input, hx, weights, *sizes):
            weights = [getattr(self, name) for name in names]  # parametrized and the like
            if not _gate.admits(input, hx, weights, *sizes):
                return None
        shape, nonlinearity = input.shape, self.nonlinearity
        batched = len(shape) == 2
        if not (batched or len(shape) == 1) or nonlinearity not in ("tanh", "relu"):
            return None
        if hx is not None and hx.shape != (*shape[:-1], self.hidden_size):
            return None
        if batched:
            return ops.step(input, hx, weights, self.hidden_size, nonlinearity)
        input, hx = input.unsqueeze(0), None if hx is None else hx.unsqueeze(0)
        return ops.step(input, hx, weights, self.hidden_size, nonlinearity).squeeze(0)

    def __prepare_scriptable__(self) -> _pytorch.RNNCell:
        """What ``torch.jit.script`` compiles."""
        return _pytorch.twin(self, _pytorch.RNNCell)


class Linear(_pytorch.Linear):
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

    def forward(self, input: Any) -> Tensor:
        if _gate.nothing_intercepts() and isinstance(input, Tensor) and self._takes(input):
            rows = input if input.dim() == 2 else input.reshape(-1, self.in_features)
            output = ops.linear(rows, self.weight, self.bias)
            return output if input.dim() == 2 else output.view(*input.shape[:-1], self.out_features)
        if _fx.traces(self, input):
            return _fx.leaf(self, input)  # type: ignore[return-value]
        return _pytorch.Linear.forward(self, input)

    def _takes(self, input: Tensor) -> bool:
        """Whether the engine can run this input."""
        weight, bias, dtype = self.weight, self.bias, input.dtype
        return (
            _gate.is_plain(input)
            and dtype in _gate.DTYPES
            and input.dim() > 0
            and 0 < self.in_features == input.shape[-1]
            and self.out_features > 0
            and _gate.is_plain(weight)
            and weight.dtype is dtype
            and weight.shape == (self.out_features, self.in_features)
            and (bias is None or (_gate.is_plain(bias) and bias.dtype is dtype and bias.shape == (self.out_features,)))
        )

    def __prepare_scriptable__(self) -> _pytorch.Linear:
        """What ``torch.jit.script`` compiles."""
        return _pytorch.twin(self, _pytorch.Linear)


follow_quantization()
