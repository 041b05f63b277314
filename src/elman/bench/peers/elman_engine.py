"""Ours without autograd: the engine's forward and backward pass over NumPy arrays, as a program in C++ has it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from elman import _engine
from elman.bench._problem import Array, Problem
from elman.bench._variant import Variant

KEPT = {"tanh": 0, "gru": 4, "lstm": 5}  # by the forward pass for the backward pass: the list in elman/cells.h


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    steps, batch, input_size, hidden_size = problem.case.shape
    cell = problem.case.engine_cell
    results = {
        "output": np.empty_like(problem.d_output),
        "d_input": np.empty_like(problem.x),
        **{f"d_{name.removesuffix('_l0')}": np.empty_like(array) for name, array in problem.parameters.items()},
    }
    if not problem.case.family.apart:
        results["d_bias_hh"] = results["d_bias_ih"]
    kept = np.empty((steps, batch, KEPT[cell] * hidden_size), np.float32)
    address = {name: _address(array) for name, array in (problem._asdict() | results).items() if name.startswith("d_")}
    common: dict[str, Any] = {
        "cell": _engine.Cell[cell],
        "threads": threads,
        "steps": steps,
        "batch": batch,
        "batch_sizes": 0,
        "reverse": False,
        "input_size": input_size,
        "hidden_size": hidden_size,
        "input_weights": _address(problem.weight_ih),
        "recurrent_weights": _address(problem.weight_hh),
        "input": _address(problem.x),
        "input_step": batch * input_size,
        "input_row": input_size,
        "input_feature": 1,
        "initial_state": 0,
        "output": _address(results["output"]),
        "output_step": batch * hidden_size,
        "output_row": hidden_size,
        "kept": _address(kept),
    }
    forward = partial(
        _engine.forward_float32,
        **common,
        input_bias=_address(problem.bias_ih),
        recurrent_bias=_address(problem.bias_hh),
        final_state=0,
    )
    backward = partial(
        _engine.backward_float32,
        **common,
        d_output=address["d_output"],
        d_output_step=batch * hidden_size,
        d_output_row=hidden_size,
        d_output_feature=1,
        d_final_state=0,
        d_input=address["d_input"],
        d_input_step=batch * input_size,
        d_input_row=input_size,
        add_to_d_input=False,
        d_initial_state=0,
        d_input_weights=address["d_weight_ih"],
        d_recurrent_weights=address["d_weight_hh"],
        d_bias=address["d_bias_ih"],
        d_recurrent_bias=address["d_bias_hh"] if problem.case.family.apart else 0,
    )

    def call() -> Array:
        forward()
        backward()
        return kept  # which lives as long as the call

    yield Variant("", call, lambda _: results)


def _address(array: Array) -> int:
    return array.ctypes.data if array.size else 0
