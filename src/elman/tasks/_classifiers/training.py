"""Training a classifier's network."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from elman.runtime._classifiers.base import TrainedClassifier
from elman.runtime._linear import log_softmax, softmax
from elman.tasks._batching import pad, shuffled_batches
from elman.tasks._classifiers.network import ClassifierNetwork
from elman.tasks._layers import trained_tensors
from elman.tasks._training import Task

if TYPE_CHECKING:
    from elman.tasks._classifiers.base import Classifier

__all__ = ["ClassifyingTask"]

LABEL_SMOOTHING = 0.1

Part = tuple[Sequence[NDArray[Any]], NDArray[np.int64]]


class ClassifyingTask(Task):
    """The loss and scores on encoded examples and the numbers of their classes.

    Args:
        classifier: the estimator that is being fitted.
        parts: to train on, and to validate on: encoded examples and numbers of classes.
        network: in training.
    """

    def __init__(self, classifier: "Classifier", parts: Sequence[Part], network: ClassifierNetwork) -> None:
        self.classifier, self.network = classifier, network
        (self.encoded, labels), (self.held, self.held_labels) = parts
        self.labels = torch.from_numpy(labels)

    def batches(self, epoch: int) -> list[list[int]]:
        self.epoch = epoch
        lengths = [len(example) for example in self.encoded]
        return shuffled_batches(lengths, self.classifier.batch_size_, self.classifier.seed, epoch)

    def loss(self, network: nn.Module, batch: Sequence[int]) -> Tensor:
        scores = network(*pad([self.encoded[i] for i in batch]))
        return cross_entropy(scores, self.labels[batch], label_smoothing=LABEL_SMOOTHING)

    def trained(self) -> TrainedClassifier:
        return self.classifier._trained(trained_tensors(self.network))

    def validate(self) -> dict[str, float]:
        if not self.held:
            return {}
        # by what will predict: the bits of an evaluation later, without PyTorch
        scores = self.trained().scores(self.held)
        right = int((softmax(scores).argmax(1) == self.held_labels).sum())
        losses = -log_softmax(scores)[np.arange(len(self.held)), self.held_labels]
        return {
            "validation_loss": math.fsum(losses.tolist()) / len(self.held),
            "validation_accuracy": right / len(self.held),
        }

    def rank(self, scores: dict[str, float]) -> list[float]:
        if len(self.held) < self.classifier.few_to_choose_by:
            return [self.epoch]
        return [scores["validation_accuracy"], -scores["validation_loss"]]
