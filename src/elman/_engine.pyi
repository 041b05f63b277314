"""The engine of elman: private, use elman.nn or elman.runtime."""

from collections.abc import Callable, Sequence
import enum
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray
from typing_extensions import CapsuleType


def operations() -> dict[str, tuple[int, int]]:
    """
    Of each operation of programs its number and how many arguments it takes.
    """

def values() -> dict[str, int]:
    """
    The first value of each kind that programs know: number i of it is i more.
    """

class Program:
    """A cell of one's own, checked: elman/program.h."""

    def __init__(self, *, gates: int = 1, apart: int = 0, states: int = 1, fed_back: int = 0, kept: int = 0, unit_inputs: int = 0, step_inputs: int = 0, row_inputs: int = 0, constants: Sequence[float] = [], forward: tuple[Sequence[Sequence[int]], Sequence[tuple[int, int]]], backward: tuple[Sequence[Sequence[int]], Sequence[tuple[int, int]]] = ([], [])) -> None:
        """
        A list is (instructions, outputs): [(operation, argument, ...), ...] and [(to, from), ...].

        Raises ValueError for what cannot be run.
        """

    @property
    def gates(self) -> int: ...

    @property
    def apart(self) -> int: ...

    @property
    def states(self) -> int: ...

    @property
    def fed_back(self) -> int: ...

    @property
    def kept(self) -> int:
        """
        What the lists say is kept; with the states but h, what `kept` of forward holds of a unit.
        """

    @property
    def unit_inputs(self) -> int: ...

    @property
    def step_inputs(self) -> int: ...

    @property
    def row_inputs(self) -> int: ...

class Cell(enum.Enum):
    """What a layer makes of its sums and its states."""

    tanh = 0

    relu = 1

    identity = 2

    gru = 3

    lstm = 4

def forward_float32(cell: Cell, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input_bias: int, recurrent_bias: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, final_state: int, initial_cell_state: int = 0, final_cell_state: int = 0, kept: int = 0, program: Program | None = None, cell_states_apart: int = 0, unit_inputs: Sequence[int] = [], step_inputs: Sequence[tuple[int, int, int]] = [], row_inputs: Sequence[int] = []) -> None:
    """
    One layer and direction over a sequence: elman::forward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements. A program, where there is one, stands for the cell; its arrays by step are (address, stride of steps, of rows).
    """

def backward_float32(cell: Cell, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, d_output: int, d_output_step: int, d_output_row: int, d_output_feature: int, d_final_state: int, d_input: int, d_input_step: int, d_input_row: int, add_to_d_input: bool, d_initial_state: int, d_input_weights: int, d_recurrent_weights: int, d_bias: int, initial_cell_state: int = 0, kept: int = 0, d_final_cell_state: int = 0, d_recurrent_bias: int = 0, d_initial_cell_state: int = 0, program: Program | None = None, cell_states_apart: int = 0, unit_inputs: Sequence[int] = [], step_inputs: Sequence[tuple[int, int, int]] = [], row_inputs: Sequence[int] = [], d_unit_inputs: Sequence[int] = [], d_step_inputs: Sequence[tuple[int, int, int]] = [], d_row_inputs: Sequence[int] = []) -> None:
    """
    BPTT through one layer and direction: elman::backward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements. A program, where there is one, stands for the cell; its arrays by step are (address, stride of steps, of rows).
    """

def forward_float64(cell: Cell, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input_bias: int, recurrent_bias: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, final_state: int, initial_cell_state: int = 0, final_cell_state: int = 0, kept: int = 0, program: Program | None = None, cell_states_apart: int = 0, unit_inputs: Sequence[int] = [], step_inputs: Sequence[tuple[int, int, int]] = [], row_inputs: Sequence[int] = []) -> None:
    """
    One layer and direction over a sequence: elman::forward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements. A program, where there is one, stands for the cell; its arrays by step are (address, stride of steps, of rows).
    """

def backward_float64(cell: Cell, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, d_output: int, d_output_step: int, d_output_row: int, d_output_feature: int, d_final_state: int, d_input: int, d_input_step: int, d_input_row: int, add_to_d_input: bool, d_initial_state: int, d_input_weights: int, d_recurrent_weights: int, d_bias: int, initial_cell_state: int = 0, kept: int = 0, d_final_cell_state: int = 0, d_recurrent_bias: int = 0, d_initial_cell_state: int = 0, program: Program | None = None, cell_states_apart: int = 0, unit_inputs: Sequence[int] = [], step_inputs: Sequence[tuple[int, int, int]] = [], row_inputs: Sequence[int] = [], d_unit_inputs: Sequence[int] = [], d_step_inputs: Sequence[tuple[int, int, int]] = [], d_row_inputs: Sequence[int] = []) -> None:
    """
    BPTT through one layer and direction: elman::backward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements. A program, where there is one, stands for the cell; its arrays by step are (address, stride of steps, of rows).
    """

class NetworkFloat32:
    """A stack of layers, packed once: elman::Network of elman/network.h."""

    @overload
    def __init__(self, layers: list[object], directions: int, cell: Cell, residual: bool = False, start: Annotated[NDArray[numpy.float32], dict(device='cpu', writable=False)] | None = None) -> None:
        """
        A tuple (weight_ih, weight_hh or None, bias_ih or None, bias_hh or None) for each layer and direction.
        """

    @overload
    def __init__(self, layers: list[object], directions: int, programs: list[Program], residual: bool = False, start: Annotated[NDArray[numpy.float32], dict(device='cpu', writable=False)] | None = None) -> None:
        """
        Programs, one a layer, and the tuples go on with what the program reads by unit.
        """

    def run(self, input: Annotated[NDArray[numpy.float32], dict(device='cpu', writable=False)], batch_sizes: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, initial: tuple[object, ...] | None, output: Annotated[NDArray[numpy.float32], dict(device='cpu')], final: tuple[object, ...] | None, places: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        Run over (steps, batch, input_size), or packed (rows, input_size), into `output` and `final`.

        With `places`, the step and the row at which each packed sequence begins, they lie among padded rows; the others of `output` are set to zeros.

        `initial` and `final` are (h_0,) and (h_n,), of an LSTM (h_0, c_0) and (h_n, c_n), each of all layers.
        """

    def run_plain(self, x: object | None, h_0: object | None, batch_first: bool) -> object:
        """
        The common call of elman.runtime's networks, which makes its results; None where arguments are none that can be read as they are.
        """

class StreamFloat32:
    """
    A batch of sequences read step by step: elman::Stream of elman/network.h.
    """

    def __init__(self, network: NetworkFloat32, batch: int, convert: object) -> None: ...

    def step(self, x_t: object | None, out: object | None = None, reset: object | None = None) -> object:
        """elman.runtime.Stream.step"""

    def reset(self, rows: object) -> None:
        """Let flagged sequences begin anew: booleans (batch,)."""

    def read_states(self, states: Annotated[NDArray[numpy.float32], dict(device='cpu')]) -> None:
        """Copy the states to an array."""

    def write_states(self, states: Annotated[NDArray[numpy.float32], dict(device='cpu', writable=False)]) -> None:
        """Copy an array to the states."""

class NetworkFloat64:
    """A stack of layers, packed once: elman::Network of elman/network.h."""

    @overload
    def __init__(self, layers: list[object], directions: int, cell: Cell, residual: bool = False, start: Annotated[NDArray[numpy.float64], dict(device='cpu', writable=False)] | None = None) -> None:
        """
        A tuple (weight_ih, weight_hh or None, bias_ih or None, bias_hh or None) for each layer and direction.
        """

    @overload
    def __init__(self, layers: list[object], directions: int, programs: list[Program], residual: bool = False, start: Annotated[NDArray[numpy.float64], dict(device='cpu', writable=False)] | None = None) -> None:
        """
        Programs, one a layer, and the tuples go on with what the program reads by unit.
        """

    def run(self, input: Annotated[NDArray[numpy.float64], dict(device='cpu', writable=False)], batch_sizes: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, initial: tuple[object, ...] | None, output: Annotated[NDArray[numpy.float64], dict(device='cpu')], final: tuple[object, ...] | None, places: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        Run over (steps, batch, input_size), or packed (rows, input_size), into `output` and `final`.

        With `places`, the step and the row at which each packed sequence begins, they lie among padded rows; the others of `output` are set to zeros.

        `initial` and `final` are (h_0,) and (h_n,), of an LSTM (h_0, c_0) and (h_n, c_n), each of all layers.
        """

    def run_plain(self, x: object | None, h_0: object | None, batch_first: bool) -> object:
        """
        The common call of elman.runtime's networks, which makes its results; None where arguments are none that can be read as they are.
        """

class StreamFloat64:
    """
    A batch of sequences read step by step: elman::Stream of elman/network.h.
    """

    def __init__(self, network: NetworkFloat64, batch: int, convert: object) -> None: ...

    def step(self, x_t: object | None, out: object | None = None, reset: object | None = None) -> object:
        """elman.runtime.Stream.step"""

    def reset(self, rows: object) -> None:
        """Let flagged sequences begin anew: booleans (batch,)."""

    def read_states(self, states: Annotated[NDArray[numpy.float64], dict(device='cpu')]) -> None:
        """Copy the states to an array."""

    def write_states(self, states: Annotated[NDArray[numpy.float64], dict(device='cpu', writable=False)]) -> None:
        """Copy an array to the states."""

def set_num_threads(count: int) -> None:
    """The threads of networks and streams."""

def get_num_threads() -> int:
    """The threads of networks and streams."""

@overload
def pool(states: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], batch_sizes: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], pooled: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

@overload
def pool(states: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], batch_sizes: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], pooled: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]) -> None:
    """
    Each sequence's largest values and means, into the first columns of `pooled`: elman/pooling.h.

    `states` (rows, features) are packed, `pooled` is (batch, 2 * features or more).
    """

@overload
def softmax(scores: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], probabilities: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], logarithm: bool = False) -> None: ...

@overload
def softmax(scores: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], probabilities: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], logarithm: bool = False) -> None:
    """
    The probabilities of each row of scores, or their logarithms: elman/softmax.h.
    """

def cut(lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), device='cpu', writable=False)] | None, resets: Annotated[NDArray[numpy.bool_], dict(shape=(None, None), device='cpu', writable=False)] | None, steps: int, batch: int) -> tuple[object, ...] | None:
    """
    Cut a padded batch into pieces, each from a sequence's first step or a reset to its end or the next reset.

    `lengths` (batch), None for all steps; `resets` (steps, batch), None for none. The result: the step and the sequence at which each piece begins, longest pieces first; the rows of each packed step; the pieces that begin with what came in; the last piece of each sequence that has any; whether each sequence is one piece of all steps. None where each is, and begins with what came in.
    """

def cut_tensors(lengths: object | None, resets: object | None, steps: int, batch: int, batch_first: bool) -> object:
    """
    The same of plain tensors, `resets` (batch, steps) where the batch is first; NotImplemented where they are no such, or not of these sizes.
    """

def take_rows(input: object, index: object) -> object:
    """
    The rows of a plain tensor (first, second, features) that an index of first * second names.
    """

def put_rows(rows: object, index: object, first: int, second: int) -> object:
    """
    The inverse: rows (count, features) at their places in a new tensor (first, second, features), zeros elsewhere.
    """

def use_tensors(exchange: CapsuleType, tensor: object, parameter: object) -> None:
    """
    Tell what tensors are: torch.Tensor.__dlpack_c_exchange_api__, torch.Tensor, torch.nn.Parameter.
    """

def use_openmp(parallel: int, max_threads: int) -> None:
    """
    Work on the threads of an OpenMP library: the addresses of its GOMP_parallel and omp_get_max_threads.
    """

def is_plain(tensor: object | None) -> bool:
    """
    Whether this is a tensor whose address, sizes and strides say all about it: no subclass, dense, on the CPU.
    """

def are_plain(tensors: list[object]) -> bool:
    """Whether each of these is None or plain."""

def keep(tensors: Sequence[object]) -> tuple[list[object], list[object], list[object]]:
    """
    Aliases of tensors or None; those of the tensors that are no leaves; those that are in their places, `...` for what is none and None for what needs no gradient.
    """

def keep_needed(tensors: tuple[object], needed: tuple[bool], learns: tuple[bool]) -> tuple[list[object], list[object], list[object], list[object], list[object], list[object]]:
    """
    Of the tensors that are `needed` what `keep` says; aliases of all, of the others alone, and their versions.

    `learns` says which of them need gradients. What is not needed is None among the first aliases, and stands among the leaves if it learns, whether it is one or not.
    """

def versions(tensors: list[object]) -> list[object]:
    """
    How often each was written to; None for None, and for inference tensors, which do not count.
    """

def copies(tensors: Sequence[object]) -> list[bytes]:
    """The numbers of plain vectors, float32 or float64, as they are now."""

def admits(input: object | None, h_0: object | None, c_0: object | None, weights: list[object], gates: int, input_size: object | None, hidden_size: object | None, layers: object | None, bidirectional: object | None, bias: object | None) -> bool:
    """
    Whether these are plain tensors of one dtype, float32 or float64, weights and input of these sizes.

    The other sizes of the input and those of the states are not looked at.
    """

@overload
def forward(cell: Cell, threads: int, directions: int, input: object, h_0: object | None, c_0: object | None, batch_sizes: object | None, weights: list[object], hidden_size: int, keeps: bool, places: object | None = None) -> tuple[object, ...]: ...

@overload
def forward(program: Program, threads: int, directions: int, input: object, h_0: object | None, c_0: object | None, batch_sizes: object | None, weights: list[object], hidden_size: int, keeps: bool, unit_inputs: list[object], step_inputs: list[object], row_inputs: list[object]) -> tuple[object, ...]:
    """
    One layer over tensors: (what elman.ops.layer returns, what the backward pass needs besides).

    Of one step the state alone, of a cell with two states both. The second is None where the cell keeps nothing, and without `keeps`. With `places`, the step and the row at which each sequence of batch_sizes begins, the rows lie among padded ones: see elman::Rows. The other rows of what comes back are zeros.

    Of a program the states but the first are c, behind one another, (states - 1, ...), where they are several. Each list of its inputs has the tensors of a direction behind those of the one before.
    """

@overload
def forward_if_admitted(cell: Cell, threads: int, input: object | None, h_0: object | None, c_0: object | None, weights: list[object], input_size: object | None, hidden_size: object | None, directions: int, bias: object | None, unit_inputs: list[object], may_learn: bool, lengths: object | None = None, resets: object | None = None) -> object: ...

@overload
def forward_if_admitted(program: Program, threads: int, input: object | None, h_0: object | None, c_0: object | None, weights: list[object], input_size: object | None, hidden_size: object | None, directions: int, bias: object | None, unit_inputs: list[object], may_learn: bool, lengths: object | None = None, resets: object | None = None) -> object:
    """
    What `forward` returns first, of (steps, batch, features).

    None where `admits` says no or other sizes do not fit, and of a program that is given something by step or row; True where `may_learn` and a tensor requires a gradient. With `lengths` (batch) or `resets` (steps, batch), of a sequence cut into pieces, its states being those of the sequences: None also where these are not as `cut_tensors` takes them, where there are resets in two directions, where no piece has a step, and in the place of True. `unit_inputs` are a program's, whose weights are four a direction.
    """

@overload
def forward_kept(cell: Cell, threads: int, directions: int, input: object, h_0: object | None, c_0: object | None, batch_sizes: object | None, places: object | None, given: tuple[object, ...], hidden_size: int) -> tuple[object, ...]: ...

@overload
def forward_kept(program: Program, threads: int, directions: int, input: object, h_0: object | None, c_0: object | None, batch_sizes: object | None, places: object | None, given: tuple[object, ...], hidden_size: int) -> tuple[object, ...]:
    """
    What `forward` returns of aliases of these tensors; what `keep` returns of all but the biases; these and their `copies`.

    `given` are the weights, and behind them the inputs of a program.
    """

@overload
def backward(cell: Cell, threads: int, directions: int, input: object, h_0: object | None, c_0: object | None, batch_sizes: object | None, matrices: list[object], hidden_size: int, output: object | None, kept: object | None, d_output: object | None, d_h_n: object | None, d_c_n: object | None, needed: tuple[object, ...], deltas: bool = False, places: object | None = None) -> object: ...

@overload
def backward(program: Program, threads: int, directions: int, input: object, h_0: object | None, c_0: object | None, batch_sizes: object | None, matrices: list[object], hidden_size: int, output: object | None, kept: object | None, d_output: object | None, d_h_n: object | None, d_c_n: object | None, needed: tuple[object, ...], unit_inputs: list[object], step_inputs: list[object], row_inputs: list[object], deltas: bool = False) -> object:
    """
    The gradients of input, h_0, c_0 and weights, of a program also of unit_inputs, step_inputs and row_inputs; None for those that are not needed, and instead of all where a tensor is not plain.

    `matrices` are the weights without the biases. With `deltas` those of every row come last, (directions, rows, features): see elman::Backward.
    """

def linear(threads: int, input: object, weight: object, bias: object | None) -> object:
    """input W^T + b over tensors, (…, in_features) to (…, out_features)."""

def linear_backward(threads: int, d_output: object, input: object | None, weight: object | None, in_features: int, needed: tuple[object, ...]) -> tuple[object, ...]:
    """
    The gradients of input, weight and bias; None for those that are not needed.

    `weight` is read for the first of them, `input` for the second.
    """

def step_if_admitted(cell: Cell, threads: Callable[[], int], input: object | None, hx: object | None, parameters: object | None, input_size: object | None, hidden_size: object | None, bias: object | None, may_learn: bool, reset: object | None) -> object:
    """
    What a cell of torch.nn with these `parameters` returns of (batch, features): a state, of an LSTM both.

    None where `admits` says no or other sizes do not fit; a list of h, c and the weights where `may_learn` and a tensor requires a gradient. `threads()` are asked for where it may be worth it. With `reset` (batch) the flagged rows begin with zeros: None also where it is no plain tensor, and in the place of a list.
    """

def instruction_sets() -> list[str]:
    """The instruction sets that this machine has, best first."""

def instruction_set() -> str:
    """The instruction set in use; the variable ELMAN_ISA forces one."""

def use_instruction_set(name: str) -> None:
    """
    Use another instruction set from now on.

    Raises ValueError, naming the choices, for any other.
    """

def release_memory() -> None:
    """
    Give back the working memory that is kept between calls, of all threads.
    """

def take_account() -> dict[str, int]:
    """
    Nanoseconds that this thread's calls took since the last time, phase by phase; empty but in a build with ELMAN_ACCOUNT.
    """
