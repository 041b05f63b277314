"""``jax.jit`` of a ``jax.lax.scan``, unrolled more or less, with the input projected at each step or all at once.

Called from Python with JAX's own arrays.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elman._cells import FAMILIES
from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant

# Handing a call to another thread took up to three times as long as the call.
jax.config.update("jax_cpu_enable_async_dispatch", False)

WAYS: dict[str, dict[str, Any]] = {  # compiling more would take minutes
    "input at once": {"unroll": 1, "at_once": True},
    "input at once, unroll 8": {"unroll": 8, "at_once": True},
    "input by step": {"unroll": 1, "at_once": False},
}


def _rnn(u: Any, v: Any, apart: Any, h: Any) -> tuple[Any, ...]:
    return (jnp.tanh(u + v),)


def _gru(u: Any, v: Any, apart: Any, h: Any) -> tuple[Any, ...]:
    (u_r, u_z, u_n), (v_r, v_z, v_n) = jnp.split(u, 3, 1), jnp.split(v, 3, 1)
    r, z = jax.nn.sigmoid(u_r + v_r), jax.nn.sigmoid(u_z + v_z)
    n = jnp.tanh(u_n + r * (v_n + apart))
    return (n + z * (h - n),)


def _lstm(u: Any, v: Any, apart: Any, h: Any, c: Any) -> tuple[Any, ...]:
    i, f, g, o = jnp.split(u + v, 4, 1)
    c_t = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c_t), c_t


CELLS: dict[str, Callable[..., tuple[Any, ...]]] = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}


def layer(parameters: tuple[Any, ...], x: Any, cell: str, unroll: int, at_once: bool) -> Any:
    """Return the output (steps, batch, hidden_size); weights are transposed, biases are one."""
    weight_ih, weight_hh, bias = parameters
    bias, apart = jnp.split(bias, [weight_hh.shape[1]])

    def step(states: tuple[Any, ...], x_t: Any) -> tuple[Any, Any]:
        u = x_t if at_once else x_t @ weight_ih + bias
        states = CELLS[cell](u, states[0] @ weight_hh, apart, *states)
        return states, states[0]

    h_0 = jnp.zeros((x.shape[1], weight_hh.shape[0]), x.dtype)
    states = (h_0,) * len(FAMILIES[cell].states)
    return jax.lax.scan(step, states, x @ weight_ih + bias if at_once else x, unroll=unroll)[1]


def gradients(parameters: tuple[Any, ...], x: Any, d_output: Any, **options: Any) -> Any:
    output, pull = jax.vjp(partial(layer, **options), parameters, x)
    return output, pull(d_output)


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    arguments = jax.device_put((_parameters(problem), problem.x))
    for name, options in WAYS.items():
        compiled = jax.jit(partial(layer, cell=problem.case.cell, **options))
        yield Variant(name, partial(_output, compiled, *arguments), lambda found: {"output": np.asarray(found)})


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    arguments = jax.device_put((_parameters(problem), problem.x, problem.d_output))
    for name, options in WAYS.items():
        compiled = jax.jit(partial(gradients, cell=problem.case.cell, **options))
        yield Variant(name, partial(_outputs, compiled, *arguments), partial(_read, problem))


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    (weight_ih, weight_hh, bias), x, states = jax.device_put((_parameters(problem), problem.x[0], problem.states))
    bias, apart = jnp.split(bias, [weight_hh.shape[1]])

    def advance(x: Any, *states: Any) -> Any:
        found = CELLS[problem.case.cell](x @ weight_ih + bias, states[0] @ weight_hh, apart, *states)
        return found if len(found) > 1 else found[0]

    call = partial(_outputs if len(states) > 1 else _output, jax.jit(advance), x, *states)
    yield Variant("", call, lambda found: {"output": np.asarray(found[0] if len(states) > 1 else found)[None]})


def _output(compiled: Any, *arguments: Any) -> Any:
    return compiled(*arguments).block_until_ready()


def _outputs(compiled: Any, *arguments: Any) -> Any:
    return jax.block_until_ready(compiled(*arguments))


def _parameters(problem: Problem) -> tuple[Any, ...]:
    return problem.weight_ih.T, problem.weight_hh.T, problem.bias


def _read(problem: Problem, found: Any) -> Results:
    output, ((d_weight_ih, d_weight_hh, d_bias), d_input) = found
    return {
        "output": np.asarray(output),
        "d_input": np.asarray(d_input),
        "d_weight_ih": np.asarray(d_weight_ih).T,
        "d_weight_hh": np.asarray(d_weight_hh).T,
        **problem.d_biases(np.asarray(d_bias)),
    }
