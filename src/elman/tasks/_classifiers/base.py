"""What the estimators that classify share: labels, parts, predictions."""

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._classifiers.base import TrainedClassifier
from elman.tasks._base import ClassifierMixin, check_is_fitted
from elman.tasks._classifiers.options import ClassifierOptions
from elman.tasks._estimator import Estimator, Running
from elman.tasks._run import Schedule
from elman.tasks._splitting import stratified_split

if TYPE_CHECKING:
    from elman.tasks._classifiers.network import ClassifierNetwork
    from elman.tasks._classifiers.training import ClassifyingTask

__all__ = ["Classifier"]

Part = tuple[list[Any], NDArray[np.int64]]


class Classifier(ClassifierMixin, ClassifierOptions, Estimator):  # type: ignore[misc]
    """Trains on labelled examples: texts, or sequences of numbers, as a class of its own says."""

    arguments: ClassVar[tuple[str, str]]  # what messages call the examples and the labels
    plural: ClassVar[str]  # what an example is
    few_to_choose_by: ClassVar[int] = 0  # examples: on fewer of them which epoch is best is chance, the last is kept

    classes_: NDArray[Any]

    @abstractmethod
    def _checked(self, examples: Any, name: str) -> list[Any]:
        """Return examples as a list, or raise an InputError that says which of them cannot be used."""

    @abstractmethod
    def _prepare(self, examples: list[Any], labels: NDArray[np.int64], running: Running) -> None:
        """Choose from the training part what is to be chosen, and say so."""

    @abstractmethod
    def _encode(self, example: Any) -> NDArray[Any]:
        """Return what the network reads of an example, a row for each step."""

    @abstractmethod
    def _network(self) -> "ClassifierNetwork":
        """Return a new network."""

    @abstractmethod
    def _trained(self, tensors: Mapping[str, Array]) -> TrainedClassifier:
        """Return what predicts with the parameters of a network."""

    def _fit(
        self, examples: Any, labels: Sequence[Any], validation: tuple[Any, Sequence[Any]] | None, *, running: Running
    ) -> None:
        examples = self._checked(examples, self.arguments[0])
        numbers = self._numbered(labels, len(examples))
        rare: Sequence[int] = ()
        if validation is None:
            training, held, rare = stratified_split(numbers, self.validation, self.seed)
            parts: list[Part] = [([examples[i] for i in part], numbers[part]) for part in (training, held)]
        else:
            parts = [(examples, numbers), self._checked_validation(*validation)]
        self._count(parts)
        self._prepare(*parts[0], running)
        if rare:
            names = ", ".join(str(self.classes_[number]) for number in rare)
            running.notice(f"too rare to set a part aside for validation, kept in training: {names}")
        encoded = [([self._encode(example) for example in part], labels) for part, labels in parts]

        def begin() -> "tuple[ClassifierNetwork, ClassifyingTask]":
            from elman.tasks._classifiers.training import ClassifyingTask

            network = self._network()
            return network, ClassifyingTask(self, encoded, network)

        schedule = Schedule(self.learning_rate, self.epochs_, patience=max(4, self.epochs_ // 3))
        self._train(begin, schedule, self._digest(encoded), running)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest class, (examples,), of each example."""
        check_is_fitted(self, "model_")
        return self.model_.predict(X)  # type: ignore[no-any-return]

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the probability of each class, (examples, classes), in the order of ``classes_``."""
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(X)  # type: ignore[no-any-return]

    def _numbered(self, labels: Sequence[Any], count: int) -> NDArray[np.int64]:
        """Return the number of each label's class; the classes are the labels that occur, sorted."""
        given, name = np.asarray(labels), self.arguments[1]
        if given.shape != (count,):
            raise InputError(f"{name}: expected one for each of {count} {self.plural}, got the shape {given.shape}")
        if given.dtype.kind == "O":
            given = _plain(given, name)
        if given.dtype.kind not in "OUSifub" or (given.dtype.kind == "f" and not np.isfinite(given).all()):
            raise InputError(f"{name}: expected strings or integers, got {given.dtype}")
        self.classes_, numbers = np.unique(
            given.astype(str) if given.dtype.kind in "OS" else given, return_inverse=True
        )
        if self.classes_.dtype.kind == "u" and self.classes_[-1:].max(initial=0) < 2**63:
            self.classes_ = self.classes_.astype(np.int64)
        if self.classes_.dtype.kind == "u":
            raise InputError(f"{name}: expected integers below 2**63, got {self.classes_[-1]}")
        if len(self.classes_) < 2:
            only = f"only {self.classes_[0]!s}" if len(self.classes_) else "none"
            raise InputError(f"{name}: expected two classes or more, got {only}")
        return numbers

    def _checked_validation(self, examples: Any, labels: Sequence[Any]) -> Part:
        places = {label: number for number, label in enumerate(self.classes_.tolist())}
        given, name = np.asarray(labels).tolist(), f"validation {self.arguments[1]}"
        for place, label in enumerate(given):
            if label not in places:
                raise InputError(f"{name}[{place}]: expected a class of the training part, got {label!r}")
        checked = self._checked(examples, f"validation {self.arguments[0]}")
        if len(checked) != len(given):
            raise InputError(f"{name}: expected one for each of {len(checked)} {self.plural}, got {len(given)}")
        return checked, np.array([places[label] for label in given], dtype=np.int64)

    def _count(self, parts: Sequence[Part]) -> None:
        (examples, numbers), (held, _) = parts
        count = len(examples)
        self.batch_size_ = self.batch_size or (64 if count >= 4000 else 32 if count >= 1000 else 16)
        counts = np.bincount(numbers, minlength=len(self.classes_)).tolist()
        self.data_ = {
            "training": count,
            "validation": len(held),
            "training_by_class": dict(zip(map(str, self.classes_), counts, strict=True)),
        }

    def _digest(self, parts: Sequence[tuple[Sequence[NDArray[Any]], NDArray[np.int64]]]) -> str:
        digest = hashlib.sha256("\n".join(map(repr, self.classes_.tolist())).encode("utf-8", "surrogatepass"))
        for encoded, numbers in parts:
            digest.update(np.array([len(example) for example in encoded]).tobytes())
            for array in (*encoded, numbers):
                digest.update(array.tobytes())
        return digest.hexdigest()


def _plain(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels that were given as objects, as tables do, as an array of their own type."""
    for place, label in enumerate(labels):
        if label is None or (isinstance(label, float) and label != label):
            raise InputError(f"{name}[{place}]: expected a label, got a missing value")
    plain = np.array(labels.tolist())
    return plain if plain.dtype.kind in "ifub" and len({type(label) for label in labels.tolist()}) == 1 else labels
