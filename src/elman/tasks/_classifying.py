"""Training a text classifier's network and reading its probabilities."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from elman.runtime._vocabulary import tokenize
from elman.tasks._batching import batches_by_length, pad, shuffled_batches
from elman.tasks._checkpoints import CheckpointStore
from elman.tasks._environment import environment
from elman.tasks._network import TextNetwork
from elman.tasks._training import Observer, Settings, Trainer

if TYPE_CHECKING:
    from elman.tasks.text_classifier import TextClassifier

__all__ = ["build_network", "probabilities", "train"]

LABEL_SMOOTHING = 0.1
# What is drawn against overfitting suits the vocabulary: the vectors of an alphabet are few and seen often,
# those of words and hanzi many and rare. Tokens taken for unknown teach what an unknown one means.
LARGE_VOCABULARY = 1000
UNKNOWN_RATE, UNKNOWN_RATE_IF_SMALL = 0.05, 0.01
READING_BATCH = 64

Part = tuple[list[str], NDArray[np.int64]]


class ClassifyingTask:
    """Texts and classes as numbers, and the loss and scores on them."""

    def __init__(self, classifier: "TextClassifier", parts: Sequence[Part], network: TextNetwork) -> None:
        self.network, self.seed, self.batch_size = network, classifier.seed, classifier.batch_size_
        self.encoded, self.held = ([_encode(classifier, text) for text in texts] for texts, _ in parts)
        self.labels, self.held_labels = (torch.from_numpy(numbers) for _, numbers in parts)

    def batches(self, epoch: int) -> list[list[int]]:
        return shuffled_batches([len(text) for text in self.encoded], self.batch_size, self.seed, epoch)

    def loss(self, batch: Sequence[int]) -> Tensor:
        scores = self.network(*pad([self.encoded[i] for i in batch]))
        return cross_entropy(scores, self.labels[batch], label_smoothing=LABEL_SMOOTHING)

    def validate(self) -> dict[str, float]:
        if not self.held:
            return {}
        scores = _scores(self.network, self.held)
        right = (scores.argmax(1) == self.held_labels).sum().item()
        loss = cross_entropy(scores, self.held_labels).item()
        return {"validation_loss": loss, "validation_accuracy": right / len(self.held)}

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
    classifier.network_ = network
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


def probabilities(classifier: "TextClassifier", texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the probability of each class, (examples, classes), of each text."""
    if not texts:
        return np.zeros((0, len(classifier.classes_)), dtype=np.float32)
    encoded = [_encode(classifier, text) for text in texts]
    with thread_count(classifier.threads), torch.no_grad():
        result: NDArray[np.float32] = _scores(classifier.network_, encoded).softmax(1).numpy()
    return result


@contextmanager
def thread_count(threads: int | None) -> Iterator[None]:
    """Let torch and the engine use so many threads for a while."""
    before = torch.get_num_threads()
    try:
        if threads:
            torch.set_num_threads(threads)
        yield
    finally:
        torch.set_num_threads(before)


def _encode(classifier: "TextClassifier", text: str) -> list[int]:
    return classifier.vocabulary_.encode(tokenize(text, classifier.tokens_, classifier.max_length)[0])


def _scores(network: Any, encoded: Sequence[list[int]]) -> Tensor:
    scores = torch.empty(len(encoded), network.output.out_features)
    for batch in batches_by_length([len(text) for text in encoded], READING_BATCH):
        scores[batch] = network(*pad([encoded[i] for i in batch]))
    return scores
