"""``Recurrent``: a recurrent layer whose cell its user has written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.utils.rnn import PackedSequence

from elman import _gate
from elman._checks import is_integer, is_number
from elman._errors import shown
from elman.cells import Cell, Learned
from elman.nn import _fx, _general
from elman.nn._additions import Additions, check_flags, widths_of
from elman.nn._layouts import Layout, Packed, Padded, Traced, expanded
from elman.nn._weights import set_values
from elman.ops._calls import apart
from elman.ops._program import Operands, program_if_admitted, program_layer

__all__ = ["Recurrent"]

_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Recurrent(Additions, Module):
    """A multi-layer recurrent network of a cell that is written in Python: see :class:`elman.cells.Cell`.

    The engine multiplies, loops and differentiates; the bits of a sequence are the same in any batch, on any number of
    threads, padded or packed, whole or in chunks.

    Args:
        cell: one for all layers and directions.
        input_size: features of an input row.
        hidden_size: features of a hidden state, or a width for each layer.
        num_layers: layers, each reading the output of the one before. Default: 1, or as many as there are widths.
        bias: whether ``b_ih`` and ``b_hh`` exist. Default: True.
        batch_first: input and output are ``(batch, steps, features)``. Default: False.
        dropout: probability of dropping an element of a layer's output, on all layers but the last, while training.
            Default: 0.
        bidirectional: a second direction from the last step to the first. Default: False.
        learn_initial_state: the initial states are parameters of each layer and direction. Default: False.
        residual: adds a layer's input to its output from the second layer on, where widths agree. Default: False.
        device, dtype: of the parameters.

    Inputs:
        input: ``(steps, batch, input_size)``, ``(steps, input_size)`` of one sequence, or a ``PackedSequence``.
        hx: the initial state ``(directions * num_layers, batch, hidden_size)``, of a cell with several states a tuple
            of them; zeros where it is not given, or what was learned.
        lengths, resets, return_states: as of :class:`elman.nn.RNN`.
        others: by name, what the cell is given for each step or sequence.

    What a cell is given for each step, as noise, lies as the input does, with hidden_size features, and what it is
    given for each sequence is ``(batch, hidden_size)``; all layers and directions are given the same. What is not
    given, the cell draws.

    Outputs:
        output, h_n: as of :class:`elman.nn.RNN`; of a cell with several states ``h_n`` is a tuple.

    Attributes:
        weight_ih_l[k]: ``(gates * hidden_size, features)`` of layer k, with ``_reverse`` of its second direction; the
            gates in the order of ``cell.program.gates``.
        weight_hh_l[k]: ``(gates * hidden_size, hidden_size)``; of a cell that feeds nothing back there is none.
        bias_ih_l[k], bias_hh_l[k]: ``(gates * hidden_size)``.
        [name]_l[k]: ``(hidden_size)``, what the cell is given for each unit: a parameter if it is learned.
        [state]_0_l[k]: ``(hidden_size)``, initial states that are learned.

    Raises:
        ValueError, TypeError: arguments that do not fit; the argument, what was expected and what came.

    Example::

        >>> import torch
        >>> from elman.cells import Cell, learned, tanh
        >>> from elman.nn import Recurrent
        >>> class Leaky(Cell):
        ...     def step(self, a, h, leak):
        ...         return (1 - leak) * h + leak * tanh(a)
        >>> rnn = Recurrent(Leaky(leak=learned(0.2)), input_size=10, hidden_size=20)
        >>> output, h_n = rnn(torch.randn(5, 3, 10))
        >>> output.shape, h_n.shape, rnn.leak_l0.shape
        (torch.Size([5, 3, 20]), torch.Size([1, 3, 20]), torch.Size([20]))
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int | None = None,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        learn_initial_state: bool = False,
        residual: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(cell, Cell):
            raise TypeError(f"cell: expected a Cell, as in Leaky(leak=0.2), got {shown(cell)}")
        if num_layers is not None and not is_integer(num_layers, 1):
            raise ValueError(f"num_layers: expected an integer above 0, got {shown(num_layers)}")
        if not is_integer(input_size, 0):
            raise ValueError(f"input_size: expected an integer of 0 or more, got {shown(input_size)}")
        if not is_number(dropout) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout: expected a probability from 0 to 1, got {shown(dropout)}")
        check_flags(learn_initial_state=learn_initial_state, residual=residual)
        self.hidden_size = widths_of(hidden_size, num_layers)
        self.cell, self.input_size = cell, int(input_size)
        self.num_layers = len(self.hidden_size) if self._has_widths else int(num_layers or 1)
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, float(dropout), bidirectional
        self.learn_initial_state, self.residual = learn_initial_state, residual
        self._register(device, dtype)
        self.reset_parameters()

    # What the general forward pass asks of a layer.
    _title, proj_size, _additions = "Recurrent", 0, "a cell of its own"

    @property
    def _state_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.cell.program.states

    @property
    def _states(self) -> int:
        return len(self._state_names)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Refuse an input of other sizes."""
        dtype = self.weight_ih_l0.dtype
        if input.dtype != dtype:
            if not torch.is_floating_point(input):
                raise ValueError(f"input: expected floating-point numbers, got {input.dtype}")
            if not _gate.is_autocast():
                raise ValueError(f"input: expected {dtype}, as the parameters, got {input.dtype}")
        if input.dim() != (3 if batch_sizes is None else 2) or input.shape[-1] != self.input_size:
            raise ValueError(f"input: expected {self.input_size} features, got {tuple(input.shape)}")

    def _register(self, device: Any, dtype: Any) -> None:
        program, features = self.cell.program, self.input_size
        # of each layer those of the weights, and of what it is given for each unit; a list for each direction
        self._names = [
            [[[name + of for name in kind] for of in suffixes] for kind in (_WEIGHTS, program.inputs_by("unit"))]
            for suffixes in ([f"_l{index}{suffix}" for suffix in self._suffixes] for index in range(self.num_layers))
        ]

        def parameter(*shape: int) -> Parameter:
            return Parameter(torch.empty(shape, device=device, dtype=dtype))

        for index, width in enumerate(self._widths):
            rows = len(program.gates) * width
            for suffix in self._suffixes:
                of = f"_l{index}{suffix}"
                shapes: list[tuple[int, ...]] = [(rows, features), (rows, width), (rows,), (rows,)]
                for name, shape in zip(_WEIGHTS, shapes, strict=True):
                    exists = (self.bias or "weight" in name) and (program.is_recurrent or "hh" not in name)
                    self.register_parameter(name + of, parameter(*shape) if exists else None)
                for name in program.inputs_by("unit"):
                    if isinstance(self.cell.parameters[name], Learned):
                        self.register_parameter(name + of, parameter(width))
                    else:
                        self.register_buffer(name + of, torch.empty(width, device=device, dtype=dtype))
            features = len(self._suffixes) * width
        for name, width in self._learned_states.items():
            self.register_parameter(name, parameter(width))

    def reset_parameters(self) -> None:
        """Draw the weights anew, uniform in ``±1 / sqrt(hidden_size)``; the cell's own begin with what it says."""
        for index, width in enumerate(self._widths):
            bound = 1 / math.sqrt(width)
            for suffix in self._suffixes:
                of = f"_l{index}{suffix}"
                for name in _WEIGHTS:
                    weight = getattr(self, name + of)
                    if weight is not None:
                        set_values(self, name + of, torch.empty_like(weight).uniform_(-bound, bound))
                for name in self.cell.program.inputs_by("unit"):
                    set_values(self, name + of, self._initial(name, width))
        for name, width in self._learned_states.items():
            set_values(self, name, torch.zeros(width))

    def _initial(self, name: str, width: int) -> Tensor:
        given = self.cell.parameters[name]
        values = torch.as_tensor(given.initial if isinstance(given, Learned) else given).detach()
        if values.dim() > 1 or (values.dim() == 1 and len(values) != width):
            raise ValueError(f"{name}: expected a value for each of {width} hidden units, got {tuple(values.shape)}")
        return values.expand(width)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """Weights and biases of each layer and direction, as of :class:`torch.nn.RNN`."""
        names = [of_direction for weights, _ in self._names for of_direction in weights]
        return [[weight for name in of if (weight := getattr(self, name)) is not None] for of in names]

    def flatten_parameters(self) -> None:
        """Nothing, as of :class:`elman.nn.RNN`: the engine takes weights wherever they lie."""

    def extra_repr(self) -> str:
        said = [repr(self.cell), str(self.input_size), str([*self._widths] if self._has_widths else self.hidden_size)]
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        defaults |= {"learn_initial_state": False, "residual": False}
        given = {name: getattr(self, name) for name in defaults}
        return ", ".join(said + [f"{name}={value}" for name, value in given.items() if value != defaults[name]])

    def forward(
        self,
        input: Any,
        hx: Any = None,
        *,
        lengths: Any = None,
        resets: Any = None,
        return_states: bool = False,
        **inputs: Any,
    ) -> Any:
        if not (inputs or lengths is not None or resets is not None or return_states) and _gate.nothing_intercepts():
            results = self._run_at_once(input, hx)
            if results is not None:
                return results
        unknown = [name for name in inputs if self.cell.program.inputs.get(name) not in ("step", "sequence")]
        if unknown:
            raise TypeError(f"{unknown[0]}: expected no such argument, {type(self.cell).__name__} has no such input")
        if _fx.traces(self, input):
            asked = {"lengths": lengths, "resets": resets, "return_states": return_states, **inputs}
            return _fx.leaf(self, input, hx, **asked)
        run_layer = partial(self._run_layer, inputs)
        return _general.run(self, input, hx, lengths, resets, return_states, run_layer)

    def _run_at_once(self, input: Any, hx: Any) -> tuple[Tensor, Any] | None:
        """Output and final states of a layer that the engine takes as it is; None of all else."""
        program, width = self.cell.program, self.hidden_size
        states = len(program.states)
        if not isinstance(width, int) or self.num_layers > 1 or self.learn_initial_state:
            return None
        if len(program.results) > states or (states > 1 and hx is not None):
            return None
        if self.batch_first:
            if not _gate.is_plain(input) or input.dim() != 3:
                return None
            input = input.transpose(0, 1)
        weights, of_units = self._parameters_of(0)
        results = program_if_admitted(program, input, hx, weights, self.input_size, width, of_units)
        if results is None:
            return None
        output, *last = results
        if self.batch_first:
            output = output.transpose(0, 1)
        return output, last[0] if states == 1 else (last[0], *apart(last[1], states - 1))

    def _parameters_of(self, index: int) -> list[list[list[Any]]]:
        """A layer's weights and what it is given for each unit, each by direction."""
        find = self._parameters.get  # those that are parametrized are found as PyTorch does
        return [
            [[getattr(self, name) if (x := find(name)) is None else x for name in of] for of in kind]
            for kind in self._names[index]
        ]

    def _run_layer(
        self, inputs: dict[str, Any], call: _general.Call, index: int, rows: Tensor, before: _general.States
    ) -> list[Tensor]:
        if _gate.is_autocast() and self.weight_ih_l0.dtype is torch.float32:  # of its dtype are the results alone
            lower = torch.get_autocast_dtype("cpu")
            with torch.autocast("cpu", enabled=False):
                before = [None if state is None else state.float() for state in before]
                results = self._run_layer(inputs, call, index, rows.float(), before)
            return [result.to(lower) for result in results]
        layout, width, program = call.layout, self._widths[index], self.cell.program
        cuts = layout.cuts if isinstance(layout, Traced) else {}
        of_steps, of_sequences = program.inputs_by("step"), program.inputs_by("sequence")
        weights, of_units = self._parameters_of(index)
        by_step = [[self._of_steps(name, inputs, width, rows, layout) for name in of_steps] for _ in weights]
        by_sequence = [
            [self._of_sequences(name, inputs, width, rows, layout) for name in of_sequences] for _ in weights
        ]
        at_resets = call.at_resets[index]
        if len(program.results) > len(before) and isinstance(layout, Traced):
            before = [Padded.begin(layout, *pair) for pair in zip(before, at_resets, strict=True)]
            at_resets = [expanded(state, layout.batch) for state in at_resets]
        masks = dict(zip(of_sequences, zip(*by_sequence, strict=True), strict=True))
        operands = Operands(
            rows,
            [*before, *self._further(before, masks)],
            [*at_resets, *(self._further(at_resets, masks) if cuts else [])],
            weights,
            of_units,
            by_step,
            by_sequence,
        )
        states, last = program_layer(program, width, call.batch_sizes, operands, call.every, **cuts)
        return [states[0], *last, *states[1:]]

    def _further(self, states: list[Tensor | None], by_sequence: dict[str, tuple[Tensor, ...]]) -> list[Tensor | None]:
        """What is fed back of these states, where the program is handed it beside them."""
        cell = self.cell
        if len(cell.program.results) == len(states):
            return []
        state = states[cell._fed_back_index()]
        return [None if state is None else cell._feed(state, lambda name: torch.stack(by_sequence[name]))]

    def _of_steps(self, name: str, inputs: dict[str, Any], width: int, rows: Tensor, layout: Layout) -> Tensor:
        if inputs.get(name) is None:
            return self._drawn(name, (*rows.shape[:-1], width), rows)
        given, expected = inputs[name], (*layout.shape, width)
        if isinstance(given, Tensor) and given.dim() == 2 and expected[1:-1] == (1,):
            given = given.unsqueeze(1)  # of one sequence
        of_rows = given.data if isinstance(given, PackedSequence) else given
        if not isinstance(of_rows, Tensor) or of_rows.shape != expected:
            raise ValueError(f"{name}: expected {expected}, as the input lies, got {_said(of_rows)}")
        if isinstance(given, PackedSequence) and not (isinstance(layout, Packed) and layout.is_like(given)):
            raise ValueError(f"{name}: expected to be packed as the input is, got other lengths or another order")
        return layout.beside(given).to(rows.dtype)

    def _of_sequences(self, name: str, inputs: dict[str, Any], width: int, rows: Tensor, layout: Layout) -> Tensor:
        given = inputs.get(name)
        if given is None:
            given = self._drawn(name, (layout.batch, width), rows)
        elif isinstance(given, Tensor) and given.dim() == 1 and len(given) == width and layout.batch == 1:
            given = given.unsqueeze(0)
        if not isinstance(given, Tensor) or given.shape != (layout.batch, width):
            raise ValueError(f"{name}: expected {(layout.batch, width)}, one a sequence, got {_said(given)}")
        return layout.of_pieces(given.to(rows.dtype))

    def _drawn(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        if _gate.is_traced(like):  # of two draws that are alike the compiler makes one, but where empty() comes in
            like = like.new_empty(0) + torch.empty(0, dtype=like.dtype, device=like.device)
        empty = like.new_empty(shape)
        drawn: Tensor | None = self.cell._drawn(name, empty, self.training)
        if drawn is None:
            raise TypeError(f"{name}: expected to be given, for {type(self.cell).__name__} does not draw it")
        return drawn


def _said(given: Any) -> str:
    return str(tuple(given.shape)) if isinstance(given, Tensor) else type(given).__name__
