"""``forward`` of the recurrent layers and cells, once for all: what they differ in is read from ``elman._cells``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from elman import _gate, ops
from elman._cells import FAMILIES
from elman._names import take_over
from elman.nn import _fx, _general, _pytorch
from elman.nn._given import flags_of
from elman.nn._parameters import Parameters
from elman.ops import _operators
from elman.ops._back_ends import BACK_ENDS
from elman.ops._layer import layer_if_admitted
from elman.ops._step import step_if_admitted

__all__ = ["Cell", "Layer"]

_CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class _Recurrent:
    """What a class has that is ``(this, PyTorch's class)``, and its subclasses."""

    _name: ClassVar[str]
    _modes: ClassVar[Mapping[str, str]]  # a layer goes by its mode alone, as PyTorch's RNN does
    _cells: ClassVar[tuple[str, ...]]
    _title: ClassVar[str]
    _gates: ClassVar[int]
    _states: ClassVar[int]
    _state_names: ClassVar[Sequence[str]]
    _has_pair: ClassVar[bool]  # of states
    # PyTorch's are called by name, not by super(): torch.compile of PyTorch 2.15 knows its own layers by their classes
    _theirs: ClassVar[Any]

    forward: Any

    # of torch.nn.Module
    _parameters: dict[str, Any]
    training: bool

    # of PyTorch's classes
    input_size: int
    hidden_size: Any
    bias: bool

    def __init_subclass__(cls, family: str | None = None) -> None:
        super().__init_subclass__()
        if family:
            row, cls._theirs = FAMILIES[family], cls.__bases__[1]
            cls._name, cls._modes, cls._cells = row.name, row.modes, (*row.modes.values(),)
            cls._title, cls._gates, cls._states = row.title, len(row.gates), len(row.states)
            cls._state_names, cls._has_pair = row.states, cls._states == 2
            take_over(cls, "forward")

    def extra_repr(self) -> str:
        """PyTorch's, as a function of ours."""
        said: str = super().extra_repr()  # type: ignore[misc]
        return said

    def __prepare_scriptable__(self) -> torch.nn.Module:
        """What ``torch.jit.script`` compiles: TorchScript cannot call the engine, PyTorch's classes it knows."""
        additions = getattr(self, "_additions", None)
        if additions:
            raise ValueError(f"torch.jit.script: expected a layer as PyTorch has it, got {additions}")
        return _pytorch.twin(self, self._theirs)  # type: ignore[arg-type, no-any-return]

    def _road(self, input: Any) -> tuple[Any, Any, Any]:
        """What admits and what runs a layer or a step that something looks into; PyTorch does where all is None."""
        if not isinstance(input, Tensor):
            return None, None, None
        is_traced = _gate.is_traced(input)
        if is_traced and not _gate.is_forward_mode():
            return _gate.admits_traced, _operators.layer, _operators.step
        there = None if input.is_cpu else BACK_ENDS.get(input.device.type)
        if there is not None and _gate.nothing_intercepts():
            return there.admits, there.layer, there.step
        # PyTorch's kernels have no rule for vmap; its LSTM, which is oneDNN's, none for forward mode, and for autocast
        # only on processors that know such dtypes
        is_onednns = self._has_pair and isinstance(self, Layer)
        is_refused = _gate.is_transformed() or (is_onednns and (_gate.is_forward_mode() or _gate.is_autocast()))
        if is_refused and (is_traced or _gate.nothing_intercepts(but_transforms=True)):
            return _gate.fits, _operators.transformed, _operators.transformed_step
        return None, None, None

    # What the engine does not take, methods called _run… answer with None.


def _pair(hx: Any) -> Any:
    """``h_0, c_0`` of an LSTM's hx; where it is no pair of tensors, what the gate admits nowhere."""
    if hx is None:
        return None, None
    is_pair = isinstance(hx, tuple | list) and len(hx) == 2 and isinstance(hx[0], Tensor) and isinstance(hx[1], Tensor)
    return hx if is_pair else (..., ...)


class Layer(_Recurrent, Parameters):
    """The forward pass of ``RNN``, ``GRU`` and ``LSTM``."""

    # of torch.nn.RNNBase
    mode: str
    num_layers: int
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    check_input: Any
    permute_hidden: Any
    _flat_weights: list[Any]
    _flat_weights_names: list[str]
    _update_flat_weights: Any

    def forward(
        self, input: Any, hx: Any = None, *, lengths: Any = None, resets: Any = None, return_states: bool = False
    ) -> Any:
        is_cut = lengths is not None or resets is not None
        asks = is_cut or return_states
        if asks or self.residual or self.learn_initial_state or type(self.hidden_size) is tuple:
            if is_cut and not (return_states or self._additions) and isinstance(input, Tensor):
                results: Any = self._run_at_once(input, hx, lengths, resets) if _gate.nothing_intercepts() else None
                if results is not None:
                    return results
            if _fx.traces(self, input):  # type: ignore[arg-type]
                asked = {"lengths": lengths, "resets": resets, "return_states": return_states} if asks else {}
                return _fx.leaf(self, input, hx, **asked)  # type: ignore[arg-type]
            results = _general.run(self, input, hx, lengths, resets, return_states)
            if results is not None:
                return results
        if _gate.nothing_intercepts():
            results = None
            if type(input) is PackedSequence:
                results = self._run_packed(input, hx)
            elif isinstance(input, Tensor):
                results = self._run_at_once(input, hx) or self._run_padded(input, hx)
            if results is not None:
                return results
        if _fx.traces(self, input):  # type: ignore[arg-type]
            return _fx.leaf(self, input, hx)  # type: ignore[arg-type]
        data = input.data if isinstance(input, PackedSequence) else input
        admits, layer, _ = self._road(data)
        if admits is not None:
            run = self._run_padded if data is input else self._run_packed
            results = run(input, hx, admits, layer)
            if results is not None:
                return results
        if self._has_pair:
            self._check_sizes(data)
        return self._theirs.forward(self, input, hx)

    def _run_at_once(
        self, input: Tensor, hx: Any, lengths: Any = None, resets: Any = None
    ) -> tuple[Tensor, Any] | None:
        """A layer that the engine takes as it is; None of all else."""
        has_pair, cell, batch_first = self._has_pair, self._modes.get(self.mode), self.batch_first
        if self.num_layers != 1 or self.proj_size or cell is None:
            return None
        if batch_first:
            if not _gate.is_plain(input) or input.dim() != 3:
                return None
            input = input.transpose(0, 1)
            if _gate.is_plain(resets) and resets.dim() == 2:
                resets = resets.transpose(0, 1)
        h_0, c_0 = _pair(hx) if has_pair else (hx, None)
        weights = [*map(self._parameters.get, self._flat_weights_names)]
        directions = 2 if self.bidirectional else 1
        sizes = self.input_size, self.hidden_size, cell, directions, self.bias
        results: Any = layer_if_admitted(
            input, h_0, c_0, weights, *sizes, batch_first and not has_pair, lengths, resets
        )
        if batch_first and has_pair and results:
            results = results[0].transpose(0, 1), *results[1:]
        return (results[0], results[1:]) if has_pair and results else results

    def _run_padded(
        self, input: Tensor, hx: Any, admits: Any = _gate.admits, run: Any = ops.layer
    ) -> tuple[Tensor, Any] | None:
        has_pair, cell = self._has_pair, self._modes.get(self.mode)
        h_0, c_0 = _pair(hx) if has_pair else (hx, None)
        weights = self._admitted_weights(input, h_0, c_0, admits)
        if weights is None or cell is None:
            return None
        shape = input.shape
        batched, steps_axis = len(shape) == 3, 1 if self.batch_first and len(shape) == 3 else 0
        if not (batched or len(shape) == 2) or shape[steps_axis] == 0:
            return None
        if h_0 is not None and not self._fit(h_0, c_0, *shape[1 - steps_axis : -1 - steps_axis]):
            return None
        if not batched:
            h_0, c_0 = (None if x is None else x.unsqueeze(1) for x in (h_0, c_0))
            results = tuple(x.squeeze(1) for x in self._run(input.unsqueeze(1), None, h_0, c_0, weights, cell, run))
        elif steps_axis:
            # of PyTorch's outputs an LSTM's alone are views there
            results = self._run(input.transpose(0, 1), None, h_0, c_0, weights, cell, run, not has_pair)
            results = (results[0].transpose(0, 1), *results[1:]) if has_pair else results
        else:
            results = self._run(input, None, h_0, c_0, weights, cell, run)
        return (results[0], results[1:]) if has_pair else results  # type: ignore[return-value]

    def _run_packed(
        self, packed: PackedSequence, hx: Any, admits: Any = _gate.admits, run: Any = ops.layer
    ) -> tuple[PackedSequence, Any] | None:
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        h_0, c_0 = _pair(hx) if self._has_pair else (hx, None)
        weights, cell = self._admitted_weights(data, h_0, c_0, admits), self._modes.get(self.mode)
        if weights is None or cell is None or data.dim() != 2:
            return None
        if batch_sizes.dim() != 1 or batch_sizes.dtype is not torch.int64:
            return None
        if not _gate.is_traced(data):
            # batch sizes that no packing makes are PyTorch's to refuse
            sizes = batch_sizes.tolist() if _gate.is_plain(batch_sizes) else []
            if not sizes or sizes[-1] < 1 or sizes != sorted(sizes, reverse=True) or sum(sizes) != data.shape[0]:
                return None
            batch = sizes[0]
        elif h_0 is not None:
            batch = h_0.shape[1] if h_0.dim() == 3 else 0
        elif sorted_indices is not None:  # who reads a graph may know the batch by the size of a state alone
            batch = sorted_indices.shape[0]
            h_0 = data.new_zeros(self.num_layers * (2 if self.bidirectional else 1), batch, self.hidden_size)
            hx = h_0
            if self._has_pair:
                hx = h_0, c_0 = h_0, h_0
        if h_0 is not None:
            if not self._fit(h_0, c_0, batch):
                return None
            hx = self.permute_hidden(hx, sorted_indices)
            h_0, c_0 = hx if self._has_pair else (hx, None)
        output, *final = self._run(data, batch_sizes.contiguous(), h_0, c_0, weights, cell, run)
        packed_output = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed_output, self.permute_hidden((*final,) if self._has_pair else final[0], unsorted_indices)

    def _admitted_weights(self, input: Tensor, h_0: Any, c_0: Any, admits: Any = _gate.admits) -> list[Tensor] | None:
        """The weights, if the engine may be handed them, the input and the states; other sizes are left to check."""
        sizes = self._gates, self.input_size, self.hidden_size, self.num_layers, self.bidirectional, self.bias
        weights: list[Any] = [*map(self._parameters.get, self._flat_weights_names)]
        if not admits(input, h_0, c_0, weights, *sizes):
            self._update_flat_weights()  # parametrized and the like: those are found as PyTorch finds them
            weights = [*self._flat_weights]
            if not admits(input, h_0, c_0, weights, *sizes):
                return None
        return None if self.proj_size else weights

    def _check_sizes(self, input: Any) -> None:
        """Refuse weights of other sizes: oneDNN, by which PyTorch runs an LSTM in float32, reads past their ends."""
        units, directions = self.hidden_size, 2 if self.bidirectional else 1
        if self.proj_size or not isinstance(units, int) or not isinstance(input, Tensor) or input.is_nested:
            return  # not by oneDNN, or refused by PyTorch
        if input.dtype is torch.float64 or not input.dim() or input.shape[-1] != self.input_size:
            return
        self._update_flat_weights()
        each = 4 if self.bias else 2  # weights are told apart by their places alone
        for place, (name, weight) in enumerate(zip(self._flat_weights_names, self._flat_weights, strict=False)):
            features = self.input_size if place < each * directions else directions * units
            expected = self._gates * units, *((features,), (units,), (), ())[place % each]
            if isinstance(weight, Tensor) and tuple(weight.shape) != expected:
                raise RuntimeError(f"Expected {name} of size {expected}, got {tuple(weight.shape)}")

    def _fit(self, h_0: Tensor, c_0: Tensor | None, *batch: int) -> bool:
        shape = self.num_layers * (2 if self.bidirectional else 1), *batch, self.hidden_size
        return h_0.shape == shape and (c_0 is None or c_0.shape == shape)

    def _run(
        self,
        input: Tensor,
        batch_sizes: Tensor | None,
        h_0: Tensor | None,
        c_0: Tensor | None,
        weights: list[Tensor],
        cell: str,
        run: Any,
        output_batch_first: bool = False,
    ) -> tuple[Tensor, ...]:
        """The output and the final states."""
        layers, directions, units = self.num_layers, 2 if self.bidirectional else 1, self.hidden_size
        if layers == 1:
            return run(input, batch_sizes, h_0, c_0, weights, units, cell, directions, output_batch_first)  # type: ignore[no-any-return]
        each = len(weights) // layers
        final_states = []
        for index in range(layers):
            if index and self.dropout and self.training:
                input = dropout(input, self.dropout, True)
            of_layer = slice(index * directions, (index + 1) * directions)
            input, *final = run(
                input,
                batch_sizes,
                None if h_0 is None else h_0[of_layer],
                None if c_0 is None else c_0[of_layer],
                weights[index * each : (index + 1) * each],
                units,
                cell,
                directions,
                output_batch_first and index == layers - 1,
            )
            final_states.append(final)
        return input, *map(torch.cat, zip(*final_states, strict=True))


class Cell(_Recurrent):
    """The forward pass of ``RNNCell``, ``GRUCell`` and ``LSTMCell``."""

    def forward(self, input: Any, hx: Any = None, *, reset: Any = None) -> Any:
        is_plain_call = _gate.nothing_intercepts()
        if is_plain_call:
            state = self._run_at_once(input, hx, reset)
            if state is not None:
                return state
        if reset is not None:
            if _fx.traces(self, input):  # type: ignore[arg-type]
                return _fx.leaf(self, input, hx, reset=reset)  # type: ignore[arg-type]
            return Cell.forward(self, input, self._restarted(input, hx, reset))
        if is_plain_call and isinstance(input, Tensor):
            state = self._run(input, hx, _gate.admits, ops.step)
            if state is not None:
                return state
        if _fx.traces(self, input):  # type: ignore[arg-type]
            return _fx.leaf(self, input, hx)  # type: ignore[arg-type]
        admits, _, step = self._road(input)
        if admits is not None:
            state = self._run(input, hx, admits, step)
            if state is not None:
                return state
        return self._theirs.forward(self, input, hx)

    def _run_at_once(self, input: Any, hx: Any, reset: Any) -> Any:
        """What :meth:`forward` returns where the engine takes the cell as it is."""
        cell = self.__dict__.get("nonlinearity", self._name)
        if cell not in self._cells:
            return None
        return step_if_admitted(cell, input, hx, self._parameters, self.input_size, self.hidden_size, self.bias, reset)

    def _restarted(self, input: Any, hx: Any, reset: Any) -> Any:
        """The states before this step, zeros where it is the first after a reset."""
        if not isinstance(input, Tensor) or not input.dim():
            return hx  # which PyTorch refuses
        shape = tuple(input.shape[:-1])
        flags = torch.as_tensor(flags_of("reset", reset, shape, "(batch)" if shape else "for unbatched input"))
        states = [
            x.masked_fill(flags.to(x.device).unsqueeze(-1), 0) if isinstance(x, Tensor) and x.shape[:-1] == shape else x
            for x in (hx if isinstance(hx, tuple | list) else (hx,))
        ]
        return type(hx)(states) if isinstance(hx, tuple | list) else states[0]

    def _run(self, input: Tensor, hx: Any, admits: Any, step: Any) -> Any:
        """The state after this step, of an LSTM both."""
        has_pair = self._has_pair
        h, c = _pair(hx) if has_pair else (hx, None)
        # PyTorch's cells add the biases that are there, whatever has been said of them since
        bias = self.bias or any(self._parameters.get(name, ...) is not None for name in _CELL_WEIGHTS[2:])
        names = _CELL_WEIGHTS if bias else _CELL_WEIGHTS[:2]
        weights: list[Any] = [*map(self._parameters.get, names)]
        cell = self.__dict__.get("nonlinearity", self._name)
        if cell not in self._cells:
            return None
        sizes = self._gates, self.input_size, self.hidden_size, 1, False, bias
        if not admits(input, h, c, weights, *sizes):
            weights = [getattr(self, name) for name in names]  # parametrized and the like
            if not admits(input, h, c, weights, *sizes):
                return None
        shape = input.shape
        batched = len(shape) == 2
        if not (batched or len(shape) == 1):
            return None
        if h is not None:
            expected = *shape[:-1], self.hidden_size
            if h.shape != expected or (c is not None and c.shape != expected):
                return None
        if batched:
            results = step(input, h, c, weights, self.hidden_size, cell)
        else:
            h, c = (None if x is None else x.unsqueeze(0) for x in (h, c))
            after = step(input.unsqueeze(0), h, c, weights, self.hidden_size, cell)
            results = tuple(x.squeeze(0) for x in after)
        return results if has_pair else results[0]
