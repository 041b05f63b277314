"""An ONNX model, run on NumPy and the engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from types import MappingProxyType
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from elman._errors import InputError, one_line
from elman.runtime._arrays import Array
from elman.runtime._onnx.node import RecurrentNode, Weights
from elman.runtime._onnx.operators import OPERATORS, Attributes
from elman.runtime._onnx.reading import constant_names, node_place, read_model
from elman.runtime._onnx.sizes import check_claim
from elman.runtime._onnx.types import TensorType, fitted, input_types, output_types

__all__ = ["OnnxModel"]


class RecurrentOp(OpRun):
    """A recurrent operator of ONNX."""

    op_domain = ""

    def settle(self, constants: frozenset[str]) -> None:
        """Read the attributes, and see whether the weights are among the values that are the same in every call."""
        operator = OPERATORS[type(self).__name__]
        values = {name: getattr(self, name) for name in operator.attributes}
        self._semantics = RecurrentNode(operator, Attributes(operator, values))
        self._states = len(operator.family.states)
        self._is_constant = constants.issuperset((*self.input[1:4], *self.input[7:]))
        self._weights: Weights | None = None

    def _run(
        self,
        X: Array,
        W: Array,
        R: Array,
        B: Array | None = None,
        sequence_lens: Array | None = None,
        initial_h: Array | None = None,
        initial_c: Array | None = None,
        P: Array | None = None,
        **attributes: Any,
    ) -> tuple[Array, ...]:
        weights = self._weights or self._semantics.prepare(W, R, B, P)
        if self._is_constant:
            self._weights = weights
        return self._semantics.run(weights, X, sequence_lens, *(initial_h, initial_c)[: self._states])


# by these names ONNX's evaluator takes them in place of its own
RECURRENT = [type(title, (RecurrentOp,), {}) for title in OPERATORS]


class OnnxModel:
    """A model with recurrent nodes: these run on the engine or NumPy, all others on ONNX's reference implementation.

    Immutable: threads may share one.

    Args:
        path: the file.

    Attributes:
        inputs: the type and shape of each input by its name, as far as the model says.
        outputs: likewise.
        metadata: the file's strings by name.

    Raises:
        InputError: it is no such model, or damaged, or has parts that cannot be computed here. Nothing is executed.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        place = str(path)
        model = read_model(path)
        inputs, optional = input_types(place, model)
        self.inputs: Mapping[str, TensorType] = MappingProxyType(inputs)
        self.outputs: Mapping[str, TensorType] = MappingProxyType(output_types(place, model))
        self.metadata: Mapping[str, str] = MappingProxyType({entry.key: entry.value for entry in model.metadata_props})
        self._optional = optional
        self._places = [node_place(place, number, node) for number, node in enumerate(model.graph.node)]
        try:
            evaluator = ReferenceEvaluator(model, new_ops=RECURRENT)
        except Exception as error:
            raise InputError(f"{place}: expected operators that can be computed, got: {one_line(error)}") from error
        # a loop of our own over its parts, so that what goes wrong is known by its node
        self._nodes: list[OpRun] = evaluator.rt_nodes_
        self._initializers: dict[str, Array] = evaluator.rt_inits_
        for name, array in self._initializers.items():
            array.flags.writeable = False
            if array.ndim > 1 and array.dtype.kind == "f" and not np.isfinite(array).all():  # masks have an infinity
                warnings.warn(f"{place}: {one_line(name)} holds infinite numbers or NaN", RuntimeWarning, stacklevel=3)
        constants = constant_names(model)
        for node, words in zip(self._nodes, self._places, strict=True):
            if isinstance(node, RecurrentOp):
                with _at(words):
                    node.settle(constants)

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Compute the outputs.

        Args:
            inputs: an array for each of :attr:`inputs` by its name. Numbers are converted to the input's dtype,
                except floats to integers. Inputs that the model has a default for may be given too.

        Returns:
            A fresh array for each of :attr:`outputs` by its name.

        Raises:
            InputError: an input is missing, unknown, or of another dtype or shape; or a node cannot take what it is
                handed, and is named.
        """
        values: dict[str, Any] = {"": None, **self._initializers, **self._checked(inputs)}
        with np.errstate(all="ignore"):  # infinities and NaN go their way through the graph
            for node, place in zip(self._nodes, self._places, strict=True):
                self._run_node(node, place, values)
        outputs = {}
        for name in self.outputs:
            if not isinstance(values[name], np.ndarray):
                kind = type(values[name]).__name__
                raise InputError(f"{one_line(name)}: expected a tensor, as the model says, got {kind}")
            outputs[name] = np.array(values[name], order="C")
        return outputs

    def _run_node(self, node: OpRun, place: str, values: dict[str, Any]) -> None:
        arguments = [values[name] for name in node.input]
        with _at(place):
            try:
                check_claim(type(node).__name__, arguments)
                results = node.run(*arguments)  # type: ignore[no-untyped-call]
            except InputError:
                raise
            except Exception as error:  # MemoryError and RecursionError too
                shapes = ", ".join(str(getattr(argument, "shape", "none")) for argument in arguments)
                reason = one_line(error.__cause__ or error) or type(error).__name__
                raise InputError(f"expected inputs that fit, got the shapes {shapes}: {reason}") from error
            if len(results) < len(node.output):
                raise InputError(f"expected {len(node.output)} outputs, got {len(results)}")
        values |= {name: result for name, result in zip(node.output, results, strict=False) if name}

    def _checked(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        if not isinstance(inputs, Mapping):
            raise InputError(f"inputs: expected a dict of arrays by name, got {type(inputs).__name__}")
        known = {**self.inputs, **self._optional}
        if not self.inputs.keys() <= inputs.keys() <= known.keys():
            raise InputError(f"inputs: expected {_listed(self.inputs)}, got {_listed(inputs)}")
        return {name: fitted(value, name, known[name]) for name, value in inputs.items()}

    def __repr__(self) -> str:
        inputs, outputs = (
            ", ".join(one_line(f"{name}: {kind}") for name, kind in types.items())
            for types in (self.inputs, self.outputs)
        )
        return f"OnnxModel({inputs} -> {outputs})"


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Say in a refusal where it was."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error.__cause__


def _listed(names: Iterable[str]) -> str:
    return one_line(", ".join(map(str, names))) or "none"
