"""A text classifier with scikit-learn's manners."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, option
from elman._figures import counted
from elman.runtime._arrays import Array
from elman.runtime._classifiers.text import TextClassifier as Trained
from elman.runtime._classifiers.text import checked_texts
from elman.runtime._classifiers.text_settings import Text, TextSettings, TextSizes
from elman.runtime._vocabulary import Vocabulary, choose_tokens, encode, tokenize
from elman.runtime._words import NEWEST
from elman.tasks._classifiers.base import Classifier
from elman.tasks._classifiers.options import TextOptions
from elman.tasks._estimator import Running
from elman.tasks._run import Observer

if TYPE_CHECKING:
    from elman.tasks._classifiers.network import TextNetwork

__all__ = ["TextClassifier"]

# What is drawn against overfitting suits the vocabulary: the vectors of an alphabet are few and seen often,
# those of words and hanzi many and rare. Tokens taken for unknown teach what an unknown one means. In trials n-grams
# of letters were worth 2.7 points of accuracy beside the network; those of hanzi, most of them seen once, cost 1.8.
LARGE_VOCABULARY = 1000
UNKNOWN_RATE, UNKNOWN_RATE_IF_SMALL = 0.05, 0.01
NGRAM_IF_SMALL = 3


class TextClassifier(TextOptions, Classifier):
    """Classify texts with an embedding, recurrent layers, and an output layer on what their units do.

    The defaults suit Chinese and English, short texts and long. ``None``: chosen from the data. Features of the pooled
    states are forgotten and, where a thousand tokens or more are known, of the embeddings.

    Attributes:
        classes_: (classes,) the labels, sorted.
        tokens_: ``"char"`` or ``"word"``.
        vocabulary_: the tokens known.
        model_: the :class:`elman.runtime.TextClassifier` that predicts, without PyTorch, with as many threads as
            :func:`elman.set_num_threads` says.
        metrics_: scores on the validation part at the best epoch.
        history_: of each epoch its ``epoch``, ``loss``, ``scores`` by name, and ``seconds``.
        data_: what it saw: numbers of examples, by class too, and how many texts were cut.
        made_with_: versions, kind of machine, instruction sets and threads.

    Example:
        >>> from elman.tasks import TextClassifier
        >>> texts, labels = ["good food", "bad food"] * 20, ["yes", "no"] * 20
        >>> classifier = TextClassifier(hidden_size=8, epochs=20).fit(texts, labels)
        >>> classifier.predict(["good food", "bad food"]).tolist()
        ['yes', 'no']
    """

    kind = Trained
    arguments, plural = ("texts", "labels"), "texts"

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Any],
        *,
        validation: tuple[Sequence[str], Sequence[Any]] | None = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        verbose: bool | int = False,
        observer: Observer | None = None,
    ) -> "TextClassifier":
        """Train on texts and their labels.

        Args:
            texts: (examples,) strings.
            labels: (examples,) strings, integers or booleans, of two classes or more.
            validation: texts and labels to validate on, in place of a share of the texts.
            checkpoints: the folder in which to keep checkpoints; ``None`` keeps none.
            resume: go on from the checkpoint there, to the bits of an uninterrupted run; begin if there is none.
            verbose: False: silent; True: what ``elman train`` shows, a bar on a terminal, and lines for epochs that did
                better; 2: a line for every epoch.
            observer: told of each step and epoch, in the place of ``verbose``.

        Returns:
            The classifier itself.

        Raises:
            InputError: a ValueError that says in one line which text, label, option or file cannot be used.
        """
        return self._fit_anew(texts, labels, validation, running=Running(checkpoints, resume, verbose, observer))

    def _restore(self) -> None:
        settings = self.model_.settings
        self._take_sizes(settings.network)
        self.set_params(max_length=settings.text.max_length)
        self.classes_, self.tokens_ = self.model_.classes, settings.text.tokens
        self.vocabulary_ = self.model_.vocabulary

    def _checked(self, examples: Any, name: str) -> list[str]:
        texts = checked_texts(examples)
        for place, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"{name}[{place}]: expected a text, got an empty one")
        return texts

    def _prepare(self, examples: list[str], labels: NDArray[np.int64], running: Running) -> None:
        count = len(examples)
        self.tokens_ = self.tokens or choose_tokens(examples)
        split = [tokenize(text, self.tokens_, self.max_length) for text in examples]
        # What occurs once in many texts teaches nothing of its own.
        self.vocabulary_ = Vocabulary.build((tokens for tokens, _ in split), 2 if count >= 1000 else 1)
        self.epochs_ = self.epochs or min(60, max(6, int(1000 / count**0.45)))
        self.data_["cut"] = sum(was_cut for _, was_cut in split)
        self.ngram_ = self.ngram or (1 if self._knows_many() else NGRAM_IF_SMALL)
        self.tokens_read_ = sum(len(tokens) for tokens, _ in split)
        self._tell(running)

    def _knows_many(self) -> bool:
        return len(self.vocabulary_) >= LARGE_VOCABULARY

    def _tell(self, running: Running) -> None:
        data, kind = self.data_, {"char": "characters", "word": "words"}[self.tokens_]
        chosen = "" if self.tokens else " (chosen from the data)"
        running.notice(
            f"{counted(data['training'], 'text')} to train on, {data['validation']:,} to validate, "
            f"{len(self.classes_)} classes; texts are read by {kind}{chosen}, "
            f"{len(self.vocabulary_):,} tokens known"
        )
        if data["cut"]:
            running.notice(f"cut to {self.max_length} {kind}: {counted(data['cut'], 'text')} ({option('max_length')})")

    def _text_sizes(self) -> TextSizes:
        from elman.tasks._layers import ngram_table_rows

        rows = ngram_table_rows(self.tokens_read_, len(self.classes_)) if self.ngram_ > 1 else 1
        return self._sizes(TextSizes, ngram=self.ngram_, ngram_rows=rows)

    def _encode(self, example: str) -> NDArray[np.int64]:
        return np.array(encode(example, self.vocabulary_, self.tokens_, self.max_length))

    def _network(self) -> "TextNetwork":
        from elman.tasks._classifiers.network import TextNetwork

        large = self._knows_many()
        return TextNetwork(
            self._text_sizes(),
            len(self.vocabulary_),
            len(self.classes_),
            dropout=self.dropout,
            embedding_dropout=self.dropout if large else 0.0,
            unknown_rate=UNKNOWN_RATE if large else UNKNOWN_RATE_IF_SMALL,
            engine=self.engine,
        )

    def _trained(self, tensors: Mapping[str, Array]) -> Trained:
        text = Text(self.tokens_, self.max_length, {}, NEWEST)
        settings = TextSettings(self.classes_.tolist(), text, self._text_sizes())
        return Trained(settings, tensors, {"vocabulary": self.vocabulary_})
