"""A text classifier with scikit-learn's manners."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from elman._errors import InputError
from elman.runtime._text_classifier import checked_texts
from elman.runtime._vocabulary import Vocabulary, choose_tokens, tokenize
from elman.tasks._options import check_options
from elman.tasks._splitting import stratified_split

if TYPE_CHECKING:
    from elman.tasks._training import Observer

__all__ = ["TextClassifier"]

Labelled = tuple[Sequence[str], Sequence[Any]]


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify texts with an embedding, recurrent layers, and an output layer on what their units do.

    The defaults suit Chinese and English, short texts and long. ``None``: chosen from the data.

    Args:
        hidden_size: units of each recurrent layer and direction.
        embedding_size: width of the vector that stands for a token.
        layers: recurrent layers.
        bidirectional: whether each layer also reads the text backwards.
        dropout: share of the features forgotten at each training step, of the pooled states and, where a
            thousand tokens or more are known, of the embeddings.
        tokens: ``"char"``, ``"word"``, or ``None``: words where texts have spaces and several words each.
        max_length: tokens read of a text; what follows is not looked at.
        learning_rate: AdamW's greatest; it rises at first and then falls to zero.
        epochs: times the texts are read, at most; ``None``: 6 to 60, the fewer the more texts there are.
        batch_size: texts of each training step; ``None``: 16 to 64, the more the more texts there are.
        seed: of everything drawn at random.
        validation: share of the texts set aside to choose the best epoch by; 0 for none.
        engine: ``"elman"`` for :class:`elman.nn.RNN`, ``"torch"`` for :class:`torch.nn.RNN`.
        threads: of the processor, to train with; ``None``: as many as torch uses. Predictions go by
            :func:`elman.set_num_threads`.

    Attributes:
        classes_: (classes,) the labels, sorted.
        tokens_: ``"char"`` or ``"word"``.
        vocabulary_: the tokens known.
        model_: the :class:`elman.runtime.TextClassifier` that predicts, without PyTorch.
        metrics_: scores on the validation part at the best epoch.
        history_: the figures of each epoch.
        data_: what it saw: numbers of examples, by class too, and how many texts were cut.
        made_with_: versions, kind of machine, instruction sets and threads.

    Example:
        >>> from elman.tasks import TextClassifier
        >>> texts, labels = ["good food", "bad food"] * 20, ["yes", "no"] * 20
        >>> classifier = TextClassifier(hidden_size=8, epochs=20).fit(texts, labels)
        >>> classifier.predict(["good food", "bad food"]).tolist()
        ['yes', 'no']
    """

    def __init__(
        self,
        *,
        hidden_size: int = 128,
        embedding_size: int = 128,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.4,
        tokens: str | None = None,
        max_length: int = 512,
        learning_rate: float = 3e-3,
        epochs: int | None = None,
        batch_size: int | None = None,
        seed: int = 0,
        validation: float = 0.1,
        engine: str = "elman",
        threads: int | None = None,
    ) -> None:
        self.hidden_size = hidden_size
        self.embedding_size = embedding_size
        self.layers = layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.tokens = tokens
        self.max_length = max_length
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.validation = validation
        self.engine = engine
        self.threads = threads

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Any],
        *,
        validation: Labelled | None = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        observer: "Observer | None" = None,
    ) -> "TextClassifier":
        """Train on texts and their labels.

        Args:
            texts: (examples,) strings.
            labels: (examples,) strings, integers or booleans, of two classes or more.
            validation: texts and labels to validate on, in place of a share of the texts.
            checkpoints: the folder in which to keep checkpoints; ``None`` keeps none.
            resume: go on from the checkpoint there, to the same bits as without the interruption.
            observer: told of each step and epoch.

        Returns:
            The classifier itself.

        Raises:
            InputError: a ValueError that says in one line which text, label, option or file cannot be used.
        """
        fitted = clone(self)
        fitted._fit(texts, labels, validation, checkpoints, resume, observer)
        self.__dict__.update(vars(fitted))  # at once: one that is stopped leaves what was before
        return self

    def _fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Any],
        validation: Labelled | None,
        checkpoints: str | Path | None,
        resume: bool,
        observer: "Observer | None",
    ) -> None:
        from elman.tasks._classifying import train

        check_options(self.get_params())
        texts, numbers = self._checked(texts, labels)
        if validation is None:
            training, held, rare = stratified_split(numbers, self.validation, self.seed)
            parts = [([texts[i] for i in part], numbers[part]) for part in (training, held)]
        else:
            rare = []
            parts = [(texts, numbers), self._checked_validation(*validation)]
        self._prepare(parts, rare, observer)
        train(self, parts, self._digest(parts), checkpoints, resume, observer)

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return the likeliest class, (examples,), of each text."""
        check_is_fitted(self, "model_")
        return self.model_.predict(texts)  # type: ignore[no-any-return]

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each class, (examples, classes), in the order of ``classes_``."""
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(texts)  # type: ignore[no-any-return]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a model folder.

        Raises:
            InputError: it cannot be written, or holds other files, or a model and not ``overwrite``.
        """
        from elman.tasks._saving import save

        check_is_fitted(self, "model_")
        save(self, Path(folder), overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> "TextClassifier":
        """Read a model folder.

        Raises:
            InputError: it is no model folder of this version, or damaged.
        """
        from elman.tasks._saving import load

        classifier = cls()
        load(classifier, Path(folder))
        return classifier

    def _checked(self, texts: Sequence[str], labels: Sequence[Any]) -> tuple[list[str], NDArray[np.int64]]:
        texts, given = checked_texts(texts), np.asarray(labels)
        if given.shape != (len(texts),):
            raise InputError(f"labels: expected one for each of {len(texts)} texts, got the shape {given.shape}")
        for place, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"texts[{place}]: expected a text, got an empty one")
        if given.dtype.kind not in "OUSifub" or (given.dtype.kind == "f" and not np.isfinite(given).all()):
            raise InputError(f"labels: expected strings or integers, got {given.dtype}")
        self.classes_, numbers = np.unique(
            given.astype(str) if given.dtype.kind in "OS" else given, return_inverse=True
        )
        if self.classes_.dtype.kind == "u" and self.classes_[-1:].max(initial=0) < 2**63:
            self.classes_ = self.classes_.astype(np.int64)
        if self.classes_.dtype.kind == "u":
            raise InputError(f"labels: expected integers below 2**63, got {self.classes_[-1]}")
        if len(self.classes_) < 2:
            only = f"only {self.classes_[0]!s}" if len(self.classes_) else "none"
            raise InputError(f"labels: expected two classes or more, got {only}")
        return texts, numbers

    def _checked_validation(self, texts: Sequence[str], labels: Sequence[Any]) -> tuple[list[str], NDArray[np.int64]]:
        places = {label: number for number, label in enumerate(self.classes_.tolist())}
        given = np.asarray(labels).tolist()
        for place, label in enumerate(given):
            if label not in places:
                raise InputError(f"validation labels[{place}]: expected a class of the training part, got {label!r}")
        return checked_texts(texts), np.array([places[label] for label in given], dtype=np.int64)

    def _prepare(
        self, parts: Sequence[tuple[list[str], Any]], rare: Sequence[int], observer: "Observer | None"
    ) -> None:
        (texts, numbers), (held, _) = parts
        self.tokens_ = self.tokens or choose_tokens(texts)
        split = [tokenize(text, self.tokens_, self.max_length) for text in texts]
        # What occurs once in many texts teaches nothing of its own.
        self.vocabulary_ = Vocabulary.build((tokens for tokens, _ in split), 2 if len(texts) >= 1000 else 1)
        self.epochs_ = self.epochs or min(60, max(6, int(1000 / len(texts) ** 0.45)))
        self.batch_size_ = self.batch_size or (64 if len(texts) >= 4000 else 32 if len(texts) >= 1000 else 16)
        counts = np.bincount(numbers, minlength=len(self.classes_)).tolist()
        cut = sum(was_cut for _, was_cut in split)
        self.data_: dict[str, Any] = {
            "training": len(texts),
            "validation": len(held),
            "cut": cut,
            "training_by_class": dict(zip(map(str, self.classes_), counts, strict=True)),
        }
        self.columns_: dict[str, str] = {}
        if observer:
            self._tell(observer, cut, rare)

    def _tell(self, observer: "Observer", cut: int, rare: Sequence[int]) -> None:
        data, kind = self.data_, {"char": "characters", "word": "words"}[self.tokens_]
        chosen = "" if self.tokens else " (chosen from the data)"
        observer.notice(
            f"{data['training']:,} texts to train on, {data['validation']:,} to validate, "
            f"{len(self.classes_)} classes; texts are read by {kind}{chosen}, "
            f"{len(self.vocabulary_):,} tokens known"
        )
        if cut:
            observer.notice(f"{cut:,} texts are longer than {self.max_length} {kind} and were cut (--max-length)")
        if rare:
            names = ", ".join(str(self.classes_[number]) for number in rare)
            observer.notice(f"too rare to set a part aside for validation, kept in training: {names}")

    def _digest(self, parts: Sequence[tuple[list[str], NDArray[np.int64]]]) -> str:
        content = [[texts, numbers.tolist()] for texts, numbers in parts]
        text = json.dumps([content, list(map(str, self.classes_))], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()
