"""The engine of elman: private, use elman.nn."""



def forward_float32(relu: bool, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input_bias: int, recurrent_bias: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, final_state: int) -> None:
    """
    One layer and direction over a sequence: elman::forward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements.
    """

def backward_float32(relu: bool, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, d_output: int, d_output_step: int, d_output_row: int, d_output_feature: int, d_final_state: int, d_input: int, d_input_step: int, d_input_row: int, add_to_d_input: bool, d_initial_state: int, d_input_weights: int, d_recurrent_weights: int, d_bias: int) -> None:
    """
    BPTT through one layer and direction: elman::backward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements.
    """

def forward_float64(relu: bool, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input_bias: int, recurrent_bias: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, final_state: int) -> None:
    """
    One layer and direction over a sequence: elman::forward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements.
    """

def backward_float64(relu: bool, threads: int, steps: int, batch: int, batch_sizes: int, reverse: bool, input_size: int, hidden_size: int, input_weights: int, recurrent_weights: int, input: int, input_step: int, input_row: int, input_feature: int, initial_state: int, output: int, output_step: int, output_row: int, d_output: int, d_output_step: int, d_output_row: int, d_output_feature: int, d_final_state: int, d_input: int, d_input_step: int, d_input_row: int, add_to_d_input: bool, d_initial_state: int, d_input_weights: int, d_recurrent_weights: int, d_bias: int) -> None:
    """
    BPTT through one layer and direction: elman::backward of elman/engine.h.

    Arrays are addresses (0: none), strides count elements.
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
