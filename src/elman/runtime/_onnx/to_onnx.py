"""ONNX out; the package onnx is imported when it is needed, and PyTorch never."""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from elman._errors import InputError, one_line
from elman.runtime._onnx.from_onnx import require_onnx
from elman.runtime._onnx.operators import OPERATORS
from elman.runtime._saving import require_free

if TYPE_CHECKING:
    from elman.runtime._network import Network
    from elman.runtime._onnx.writing import Graph

__all__ = ["export", "write_network", "write_text_classifier"]


def export(model: Any, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a trained model as an ONNX file (needs the package ``onnx``), for any batch and number of steps.

    A recurrent network has the inputs ``input`` and ``h_0``, an LSTM ``c_0`` too, and the outputs ``output`` and
    ``h_n``, an LSTM ``c_n``, shaped as the network takes and returns them; where its layers differ in width, states are
    ``h_0_l0``, ``h_0_l1``, …, ``h_n_l0``, …. Learned initial states are what these inputs are where they are not given.
    (ONNX Runtime has the operators in float32, not in float64.)

    A text classifier has the inputs ``tokens`` (batch, steps), the numbers of each text's tokens, then 0, and
    ``lengths`` (batch,), how many there are, from 1, both int64; the output ``probabilities`` (batch, classes). The
    file's metadata hold under ``text_classifier``, as JSON, what turns a text into numbers and a row into an answer:
    ``classes``, ``tokens`` (``"char"`` or ``"word"``), ``segmentation`` (of words), ``max_length`` and ``vocabulary``.

    Args:
        model: a model folder or a file that :func:`elman.save` wrote; or an :class:`elman.runtime.RNN`, an
            :class:`elman.runtime.TextClassifier`, or what :func:`elman.save` takes.
        path: the file to write.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: it is no such model, or the file cannot be written, or is there and not ``overwrite``.
        ImportError: the package ``onnx`` is not installed.
    """
    from elman.runtime._converting import as_network
    from elman.runtime._saving import load
    from elman.runtime._trained import TrainedModel

    place = "model"
    if isinstance(model, str | PathLike):
        place, model = one_line(model), load(model)
    if isinstance(model, TrainedModel) and model.format != "elman text classifier":
        raise InputError(f"{place}: expected a recurrent network or a text classifier, got an {model.format}")
    if hasattr(model, "vocabulary"):
        write_text_classifier(model, path, overwrite=overwrite)
    else:
        write_network(as_network(model), path, overwrite=overwrite)


def write_network(network: Network, path: str | PathLike[str], *, overwrite: bool) -> None:
    """Write a recurrent network: see :func:`export`."""
    if network.family.title not in OPERATORS:
        raise InputError(
            "network: expected an RNN, GRU or LSTM, got a cell of one's own, for which ONNX has no operator"
        )
    require_onnx("writing")
    from elman.runtime._onnx.writing import Graph, add_layers

    place, form = require_free(path, overwrite), network.states_form
    leading = ("batch", "steps") if network.batch_first else ("steps", "batch")
    graph = Graph(network.family.name)
    x = graph.input("input", network.dtype, (*leading, network.input_size))
    if network.batch_first:
        x = graph.add("Transpose", [x], "x_l0", perm=[1, 0, 2])
    initial = _add_initial_states(graph, network, x)
    last = "output_by_step" if network.batch_first else "output"
    final = add_layers(graph, network, x, initial, "", last)
    if network.batch_first:
        graph.add("Transpose", [last], "output", perm=[1, 0, 2])
    graph.output("output", network.dtype, (*leading, network.output_size))
    for letter, each in zip(form.letters, zip(*final, strict=True), strict=True):
        names = each
        if form.is_even:
            names = (graph.add("Concat", each, f"{letter}_n", axis=0),)
        for name, (first, _, units) in zip(names, form.shapes(1), strict=True):
            graph.output(name, network.dtype, (first, "batch", units))
    graph.write(place, {})


def _add_initial_states(graph: Graph, network: Network, x: str) -> list[tuple[str, ...]]:
    """Add the inputs of initial states; return each layer's, h_0 and of an LSTM c_0, (directions, batch, hidden_size).

    Learned ones are what the inputs are by default, for any batch.
    """
    form, layers = network.states_form, range(network.num_layers)
    if network.learn_initial_state:
        one = graph.constant("one", np.array([1]))
        batch = graph.add("Shape", [x], "batch_size", start=1, end=2)
        shape = graph.add("Concat", [one, batch, one], "shape_of_a_state", axis=0)
    initial = []
    for letter, flat in zip(form.letters, network.start, strict=True):
        blocks = form.blocks(flat, 1)
        names = [f"{letter}_0"] if form.is_even else [f"{letter}_0_l{layer}" for layer in layers]
        for place, (name, block) in enumerate(zip(names, blocks, strict=True)):
            first, _, units = block.shape
            graph.input(name, network.dtype, (first, "rows" if network.learn_initial_state else "batch", units))
            if network.learn_initial_state:
                names[place] = graph.add("Expand", [graph.constant(name, block), shape], f"{name}_of_batch")
        if form.is_even and len(layers) > 1:
            sizes = graph.constant(f"layers_of_{letter}", np.full(len(layers), form.directions))
            [state], names = names, [f"{letter}_0_l{layer}" for layer in layers]
            graph.add("Split", [state, sizes], *names, axis=0)
        initial.append(names)
    return list(zip(*initial, strict=True))


def write_text_classifier(model: Any, path: str | PathLike[str], *, overwrite: bool) -> None:
    """Write a text classifier: see :func:`export`.

    Args:
        model: has ``embedding`` (tokens, embedding_size), ``ngrams`` (ngram_rows, classes) or None and ``context``,
            ``rnn``, ``output_weight`` (classes, 3 * directions * hidden_size), ``output_bias`` (classes,), ``classes``,
            ``tokens``, ``segmentation``, ``max_length`` and ``vocabulary``, as an
            :class:`elman.runtime.TextClassifier`.
        path: the file to write.
        overwrite: whether a file that is there may be replaced.
    """
    require_onnx("writing")
    from elman.runtime._onnx.ngrams import add_ngram_terms
    from elman.runtime._onnx.writing import Graph, add_layers

    place = require_free(path, overwrite)
    classes = np.asarray(model.classes).tolist()
    graph = Graph("text_classifier")
    tokens = graph.input("tokens", np.int64, ("batch", "steps"))
    lengths = graph.input("lengths", np.int64, ("batch",))
    embedded = graph.add("Gather", [graph.constant("embedding", model.embedding), tokens], "embedded", axis=0)
    x = graph.add("Transpose", [embedded], "x_l0", perm=[1, 0, 2])
    sequence_lens = graph.cast(lengths, np.int32, "sequence_lens")
    zeros = [[""] * len(model.rnn.family.states)] * model.rnn.num_layers
    states = "states"
    final = add_layers(graph, model.rnn, x, zeros, sequence_lens, states)
    own = _OwnSteps(graph, states, lengths)
    pooled = [own.greatest(states), own.mean(states, "mean"), _final(graph, model.rnn, final[-1][0])]
    features = graph.add("Concat", pooled, "features", axis=1)
    weights = [graph.constant("output_weight", model.output_weight), graph.constant("output_bias", model.output_bias)]
    scores = graph.add("Gemm", [features, *weights], "scores", transB=1)
    if model.ngrams is not None:
        mean = own.mean(add_ngram_terms(graph, model.ngrams, tokens, model.context), "mean_of_ngrams")
        weighed = graph.add("Mul", [mean, graph.add("Sqrt", [own.counts], "root")], "scores_of_ngrams")
        scores = graph.add("Add", [scores, weighed], "scores_of_both")
    graph.add("Softmax", [scores], "probabilities", axis=1)
    graph.output("probabilities", np.float32, ("batch", len(classes)))
    reading = {
        "classes": classes,
        "tokens": model.tokens,
        "segmentation": model.segmentation,
        "max_length": model.max_length,
        "vocabulary": list(model.vocabulary.tokens),
    }
    graph.write(place, {"text_classifier": json.dumps(reading, ensure_ascii=False)})


class _OwnSteps:
    """What rows (steps, batch, features) come to over each text's own steps: (batch, features)."""

    def __init__(self, graph: Graph, states: str, lengths: str) -> None:
        self.graph = graph
        zero, one = graph.constant("zero", np.int64(0)), graph.constant("one", np.int64(1))
        self.first, last = graph.constant("first_axis", np.array([0])), graph.constant("last_axis", np.array([-1]))
        steps = graph.add("Gather", [graph.add("Shape", [states], "sizes_of_states"), zero], "steps", axis=0)
        step = graph.add("Unsqueeze", [graph.add("Range", [zero, steps, one], "step_row"), last], "step")
        self.is_own = graph.add("Unsqueeze", [graph.add("Less", [step, lengths], "is_own_step"), last], "is_own")
        self.counts = graph.cast(graph.add("Unsqueeze", [lengths, last], "lengths_column"), np.float32, "counts")
        self.nothing = graph.constant("nothing", np.float32(0))

    def greatest(self, rows: str) -> str:
        least = self.graph.constant("least", np.float32(-np.inf))
        own_or_least = self.graph.add("Where", [self.is_own, rows, least], "own_or_least")
        return self.graph.add("ReduceMax", [own_or_least, self.first], "greatest", keepdims=0)

    def mean(self, rows: str, output: str) -> str:
        own_or_nothing = self.graph.add("Where", [self.is_own, rows, self.nothing], f"{output}_or_nothing")
        total = self.graph.add("ReduceSum", [own_or_nothing, self.first], f"{output}_total", keepdims=0)
        return self.graph.add("Div", [total, self.counts], output)


def _final(graph: Graph, rnn: Network, h_n: str) -> str:
    """Add the final states of a layer, (batch, features), of (directions, batch, hidden_size)."""
    by_text = graph.add("Transpose", [h_n], "final_apart", perm=[1, 0, 2])
    return graph.add("Reshape", [by_text, graph.constant("final_shape", np.array([0, rnn.output_size]))], "final")
