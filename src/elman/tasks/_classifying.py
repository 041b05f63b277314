"""Training a text classifier's network."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from elman.runtime._linear import log_softmax, softmax
from elman.runtime._text_classifier import TextClassifier as Trained
from elman.runtime._threads import get_num_threads, set_num_threads
from elman.runtime._vocabulary import encode
from elman.tasks._batching import pad, shuffled_batches
from elman.tasks._checkpoints import CheckpointStore
from elman.tasks._environment import environment
from elman.tasks._network import TextNetwork
from elman.tasks._training import Observer, Settings, Trainer

if TYPE_CHECKING:
    from elman.tasks.text_classifier import TextClassifier

__all__ = ["build_network", "train", "trained"]

LABEL_SMOOTHING = 0.1
# What is drawn against overfitting suits the vocabulary: the vectors of an alphabet are few and seen often,
# those of words and hanzi many and rare. Tokens taken for unknown teach what an unknown one means.
LARGE_VOCABULARY = 1000
UNKNOWN_RATE, UNKNOWN_RATE_IF_SMALL = 0.05, 0.01

Part = tuple[list[str], NDArray[np.int64]]


class ClassifyingTask:
    """Texts and classes as numbers, and the loss and scores on them."""

    def __init__(self, classifier: "TextClassifier", parts: Sequence[Part], network: TextNetwork) -> None:
        self.classifier, self.network = classifier, network
        self.seed, self.batch_size = classifier.seed, classifier.batch_size_
        reading = classifier.vocabulary_, classifier.tokens_, classifier.max_length
        self.encoded, self.held = ([encode(text, *reading) for text in texts] for texts, _ in parts)
        (_, labels), (_, self.held_labels) = parts
        self.labels = torch.from_numpy(labels)

    def batches(self, epoch: int) -> list[list[int]]:
        return shuffled_batches([len(text) for text in self.encoded], self.batch_size, self.seed, epoch)

    def loss(self, batch: Sequence[int]) -> Tensor:
        scores = self.network(*pad([self.encoded[i] for i in batch]))
        return cross_entropy(scores, self.labels[batch], label_smoothing=LABEL_SMOOTHING)

    def validate(self) -> dict[str, float]:
        if not self.held:
            return {}
        # by what will predict: the bits of an evaluation later, without PyTorch
        scores = trained(self.classifier, self.network).scores(self.held)
        right = int((softmax(scores).argmax(1) == self.held_labels).sum())
        losses = -log_softmax(scores)[np.arange(len(self.held)), self.held_labels]
        return {
            "validation_loss": math.fsum(losses.tolist()) / len(self.held),
            "validation_accuracy": right / len(self.held),
        }

    def rank(self, scores: dict[str, float]) -> list[float]:
        return [scores["validation_accuracy"], -scores["validation_loss"]]


def train(
    classifier: "TextClassifier",
    parts: Sequence[Part],
    digest: str,
    checkpoints: str | Path | None,
    resume: bool,
    observer: Observer | None,
) -> None:
    """Train a network on the first part, choose its epoch by the second, and give both to the classifier.

    The caller's random numbers and thread count are left as they were.
    """
    options = {name: value for name, value in classifier.get_params().items() if name != "threads"}
    with thread_count(classifier.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(classifier.seed)
        network = build_network(classifier)
        task = ClassifyingTask(classifier, parts, network)
        epochs = classifier.epochs_
        settings = Settings(classifier.learning_rate, epochs, patience=max(4, epochs // 3))
        store = CheckpointStore(Path(checkpoints), options, digest) if checkpoints else None
        trainer = Trainer(network, task, settings, store, observer or Observer())
        if store and resume:
            trainer.restore(*store.load())
        progress = trainer.run()
        classifier.made_with_ = environment()
    classifier.model_ = trained(classifier, network)
    classifier.history_ = progress.history
    best = progress.history[progress.best_epoch - 1]
    classifier.metrics_ = {"epoch": best.epoch, "epochs": progress.epochs, "loss": best.loss, **best.scores}


def build_network(classifier: "TextClassifier") -> TextNetwork:
    """Return a new network of the classifier's sizes."""
    large = len(classifier.vocabulary_) >= LARGE_VOCABULARY
    return TextNetwork(
        len(classifier.vocabulary_),
        len(classifier.classes_),
        embedding_size=classifier.embedding_size,
        hidden_size=classifier.hidden_size,
        layers=classifier.layers,
        bidirectional=classifier.bidirectional,
        dropout=classifier.dropout,
        embedding_dropout=classifier.dropout if large else 0.0,
        unknown_rate=UNKNOWN_RATE if large else UNKNOWN_RATE_IF_SMALL,
        engine=classifier.engine,
    )


def trained(classifier: "TextClassifier", network: TextNetwork) -> Trained:
    """Return what a network has learned so far, without PyTorch."""
    tensors = {name: value.numpy(force=True) for name, value in network.state_dict().items()}
    classes, columns = classifier.classes_.tolist(), getattr(classifier, "columns_", {})
    return Trained(tensors, classifier.vocabulary_, classes, classifier.tokens_, classifier.max_length, columns)


@contextmanager
def thread_count(threads: int | None) -> Iterator[None]:
    """Let torch and the runtime use so many threads for a while."""
    before = torch.get_num_threads(), get_num_threads()
    try:
        if threads:
            torch.set_num_threads(threads)
            set_num_threads(threads)
        yield
    finally:
        torch.set_num_threads(before[0])
        set_num_threads(before[1])
