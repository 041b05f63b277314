"""``jax.jit`` of a ``jax.lax.scan``, unrolled more or less, with the input projected at each step or all at once.

Called from Python with JAX's own arrays.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant

# Handing a call to another thread took up to three times as long as the call.
jax.config.update("jax_cpu_enable_async_dispatch", False)

WAYS: dict[str, dict[str, Any]] = {  # compiling more would take minutes
    "input at once": {"unroll": 1, "at_once": True},
    "input at once, unroll 8": {"unroll": 8, "at_once": True},
    "input by step": {"unroll": 1, "at_once": False},
}


def rnn(parameters: tuple[Any, ...], x: Any, unroll: int, at_once: bool) -> Any:
    """Return the output (steps, batch, hidden_size); weights are transposed."""
    weight_ih, weight_hh, bias = parameters

    def step(h: Any, x_t: Any) -> tuple[Any, Any]:
        h = jnp.tanh((x_t if at_once else x_t @ weight_ih + bias) + h @ weight_hh)
        return h, h

    h_0 = jnp.zeros((x.shape[1], weight_hh.shape[0]), x.dtype)
    return jax.lax.scan(step, h_0, x @ weight_ih + bias if at_once else x, unroll=unroll)[1]


def gradients(parameters: tuple[Any, ...], x: Any, d_output: Any, unroll: int, at_once: bool) -> Any:
    output, pull = jax.vjp(partial(rnn, unroll=unroll, at_once=at_once), parameters, x)
    return output, pull(d_output)


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    arguments = jax.device_put((_parameters(problem), problem.x))
    for name, options in WAYS.items():
        compiled = jax.jit(partial(rnn, **options))
        yield Variant(name, partial(_output, compiled, *arguments), lambda found: {"output": np.asarray(found)})


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    arguments = jax.device_put((_parameters(problem), problem.x, problem.d_output))
    for name, options in WAYS.items():
        compiled = jax.jit(partial(gradients, **options))
        yield Variant(name, partial(_outputs, compiled, *arguments), _read)


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    (weight_ih, weight_hh, bias), x, h_0 = jax.device_put((_parameters(problem), problem.x[0], problem.h_0))
    compiled = jax.jit(lambda x, h: jnp.tanh(x @ weight_ih + bias + h @ weight_hh))
    yield Variant("", partial(_output, compiled, x, h_0), lambda found: {"output": np.asarray(found)[None]})


def _output(compiled: Any, *arguments: Any) -> Any:
    return compiled(*arguments).block_until_ready()


def _outputs(compiled: Any, *arguments: Any) -> Any:
    return jax.block_until_ready(compiled(*arguments))


def _parameters(problem: Problem) -> tuple[Any, ...]:
    return problem.weight_ih.T, problem.weight_hh.T, problem.bias


def _read(found: Any) -> Results:
    output, ((d_weight_ih, d_weight_hh, d_bias), d_input) = found
    return {
        "output": np.asarray(output),
        "d_input": np.asarray(d_input),
        "d_weight_ih": np.asarray(d_weight_ih).T,
        "d_weight_hh": np.asarray(d_weight_hh).T,
        "d_bias": np.asarray(d_bias),
    }
