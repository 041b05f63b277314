"""``jax.jit`` of a ``jax.lax.scan`` over the steps of a cell of the user's own, unrolled more or less."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elman.bench._formula import Step, function_of
from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant
from elman.bench.peers.jax import WAYS
from elman.cells import Program

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": jnp.abs,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "select": jnp.where,
    "exp": jnp.exp,
    "log": jnp.log,
    "sqrt": jnp.sqrt,
    "tanh": jnp.tanh,
    "sigma": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "sum_units": lambda x: jnp.broadcast_to(x.sum(-1, keepdims=True), x.shape),
}


def outputs(
    learnable: dict[str, Any],
    fixed: dict[str, Any],
    states: Any,
    cell: Step,
    program: Program,
    unroll: int,
    at_once: bool,
) -> Any:
    """Return the output (steps, batch, hidden_size)."""
    given = learnable | fixed
    gates = given["weight_ih"].shape[0] // states[0].shape[-1]
    of_steps = {name: given[name] for name in program.inputs_by("step")}
    others = {name: value for name, value in given.items() if name not in of_steps}

    def project(x: Any) -> Any:
        return x @ given["weight_ih"].T + given["bias_ih"]

    def advance(states: Any, at_step: Any) -> Any:
        x_t, inputs = at_step
        u = jnp.split(x_t if at_once else project(x_t), gates, -1)
        is_recurrent = "weight_hh" in given
        v = (
            jnp.split(states[program.fed_back] @ given["weight_hh"].T + given["bias_hh"], gates, -1)
            if is_recurrent
            else ()
        )
        states = cell(u, v, states, others | inputs)
        return states, states[0]

    x = given["input"]
    return jax.lax.scan(advance, states, (project(x) if at_once else x, of_steps), unroll=unroll)[1]


def gradients(learnable: dict[str, Any], fixed: Any, states: Any, d_output: Any, **options: Any) -> Any:
    output, pull = jax.vjp(partial(outputs, fixed=fixed, states=states, **options), learnable)
    return output, pull(d_output)[0]


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    for name, compiled in _ways(problem, outputs):
        call = partial(_done, compiled, *jax.device_put((problem.learnable, problem.fixed, problem.carried)))
        yield Variant(name, call, lambda found: {"output": np.asarray(found)})


step = inference


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    given = jax.device_put((problem.learnable, problem.fixed, problem.carried, problem.d_output))
    for name, compiled in _ways(problem, gradients):
        yield Variant(name, partial(_done, compiled, *given), _read)


def _ways(problem: Problem, run: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    cell = function_of(problem.own.program, FUNCTIONS)
    for name, options in WAYS.items():
        yield name, jax.jit(partial(run, cell=cell, program=problem.own.program, **options))


def _done(compiled: Any, *given: Any) -> Any:
    return jax.block_until_ready(compiled(*given))


def _read(found: Any) -> Results:
    output, named = found
    return {"output": np.asarray(output)} | {f"d_{name}": np.asarray(each) for name, each in named.items()}
