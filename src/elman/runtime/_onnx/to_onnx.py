"""ONNX out; the package onnx is imported when it is needed, and PyTorch never."""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from elman._errors import InputError, one_line
from elman.runtime._onnx.from_onnx import require_onnx
from elman.runtime._saving import require_free

if TYPE_CHECKING:
    from elman.runtime._network import Network
    from elman.runtime._onnx.writing import Graph

__all__ = ["export", "write_network", "write_text_classifier"]


def export(model: Any, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a trained model as an ONNX file (needs the package ``onnx``), for any batch and number of steps.

    A recurrent network has the inputs ``input`` and ``h_0``, an LSTM ``c_0`` too, and the outputs ``output`` and
    ``h_n``, an LSTM ``c_n``, shaped as the network takes and returns them. (ONNX Runtime has the operators in float32,
    not in float64.)

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
    require_onnx("writing")
    from elman.runtime._onnx.writing import Graph, add_layers, join_directions

    place = require_free(path, overwrite)
    directions, layers = 2 if network.bidirectional else 1, network.num_layers
    leading = ("batch", "steps") if network.batch_first else ("steps", "batch")
    state_shape = (layers * directions, "batch", network.hidden_size)
    graph = Graph(network.family.name)
    x = graph.input("input", network.dtype, (*leading, network.input_size))
    states = [graph.input(f"{letter}_0", network.dtype, state_shape) for letter in network.family.states]
    if network.batch_first:
        x = graph.add("Transpose", [x], "x_l0", perm=[1, 0, 2])
    initial = [[state] for state in states]
    if layers > 1:
        sizes = graph.constant("states_of_layers", np.full(layers, directions))
        initial = [[f"{state}_l{layer}" for layer in range(layers)] for state in states]
        for state, parts in zip(states, initial, strict=True):
            graph.add("Split", [state, sizes], *parts, axis=0)
    output, final = add_layers(graph, network, x, list(zip(*initial, strict=True)), "")
    join_directions(graph, network, output, "output", network.batch_first)
    graph.output("output", network.dtype, (*leading, directions * network.hidden_size))
    for letter, each in zip(network.family.states, zip(*final, strict=True), strict=True):
        graph.add("Concat", each, f"{letter}_n", axis=0)
        graph.output(f"{letter}_n", network.dtype, state_shape)
    graph.write(place, {})


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
    from elman.runtime._onnx.writing import Graph, add_layers, join_directions

    place = require_free(path, overwrite)
    classes = np.asarray(model.classes).tolist()
    graph = Graph("text_classifier")
    tokens = graph.input("tokens", np.int64, ("batch", "steps"))
    lengths = graph.input("lengths", np.int64, ("batch",))
    embedded = graph.add("Gather", [graph.constant("embedding", model.embedding), tokens], "embedded", axis=0)
    x = graph.add("Transpose", [embedded], "x_l0", perm=[1, 0, 2])
    sequence_lens = graph.cast(lengths, np.int32, "sequence_lens")
    zeros = [[""] * len(model.rnn.family.states)] * model.rnn.num_layers
    apart, final = add_layers(graph, model.rnn, x, zeros, sequence_lens)
    states = join_directions(graph, model.rnn, apart, "states")
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
    features = rnn.hidden_size * (2 if rnn.bidirectional else 1)
    by_text = graph.add("Transpose", [h_n], "final_apart", perm=[1, 0, 2])
    return graph.add("Reshape", [by_text, graph.constant("final_shape", np.array([0, features]))], "final")
