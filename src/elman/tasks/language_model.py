"""A language model with scikit-learn's manners."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from elman._cells import FAMILIES
from elman._errors import InputError, option
from elman.runtime._language.model import LanguageModel as Trained
from elman.tasks._base import check_is_fitted
from elman.tasks._estimator import Estimator, Running
from elman.tasks._language.corpus import LONGEST_EPOCH, Corpus
from elman.tasks._language.options import LanguageOptions
from elman.tasks._language.texts import NAMES, Texts, blocks, read_corpus
from elman.tasks._run import Observer, Schedule

if TYPE_CHECKING:
    from elman.tasks._language.training import ModellingNetwork, ModellingTask

__all__ = ["LanguageModel", "Texts"]

OPERATIONS = 5e12  # of floating-point numbers in training: one to two minutes on two cores
FEWEST_EPOCHS, MOST_EPOCHS = 1, 8


class LanguageModel(LanguageOptions, Estimator):
    """Model a language: what comes next in a text, by its characters or its words.

    An embedding of each token and of the n-grams that end with it, recurrent layers, an output layer; trained by
    truncated backpropagation through time, the states carried over from window to window. ``None``: chosen from the
    data.

    Attributes:
        vocabulary_: the tokens known.
        model_: the :class:`elman.runtime.LanguageModel` that reads and writes, without PyTorch.
        metrics_: scores on the validation part at the best epoch.
        history_: of each epoch its ``epoch``, ``loss``, ``scores`` by name, and ``seconds``.
        data_: what it saw: numbers of tokens and characters.
        made_with_: versions, kind of machine, instruction sets and threads.

    Example:
        >>> from elman.tasks import LanguageModel
        >>> model = LanguageModel(hidden_size=16, ngram=3, epochs=30).fit("to be or not to be, " * 50)
        >>> model.generate("to be or", length=10, temperature=0)
        ' not to be'
    """

    kind = Trained

    def fit(
        self,
        texts: Texts | Corpus,
        y: None = None,
        *,
        encoding: str = "utf-8",
        validation: Texts | None = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        verbose: bool | int = False,
        observer: Observer | None = None,
    ) -> "LanguageModel":
        """Train on a text, which may be larger than memory if it is a file.

        Args:
            texts: a text; or the ``Path`` of a file with one; or several texts, each of which begins on a new line; or
                what :meth:`read` returned.
            y: nothing; scikit-learn's pipelines give it.
            encoding: of files.
            validation: texts to validate on, in place of the tail.
            checkpoints: the folder in which to keep checkpoints; ``None`` keeps none.
            resume: go on from the checkpoint there, to the bits of an uninterrupted run; begin if there is none.
            verbose: False: silent; True: what ``elman train`` shows, a bar on a terminal, and lines for epochs that did
                better; 2: a line for every epoch.
            observer: told of each step and epoch, in the place of ``verbose``.

        Returns:
            The model itself.

        Raises:
            InputError: a ValueError that says in one line which text, option or file cannot be used.
        """
        return self._fit_anew(texts, encoding, validation, running=Running(checkpoints, resume, verbose, observer))

    def read(
        self,
        texts: Texts,
        *,
        encoding: str = "utf-8",
        validation: Texts | None = None,
        folder: str | Path | None = None,
    ) -> Corpus:
        """Return texts as the numbers of their tokens, mapped into memory, for :meth:`fit`.

        Args:
            texts, encoding, validation: as for :meth:`fit`.
            folder: where the file of the numbers lies, which has no name; ``None``: where temporary files do.

        Raises:
            InputError: a file is no text, or the text is too short.
        """
        held = float(self.validation) if validation is None else blocks(validation, encoding)
        return read_corpus(texts, held, self.tokens, self.window, encoding=encoding, folder=folder)

    def _fit(self, texts: Texts | Corpus, encoding: str, validation: Texts | None, *, running: Running) -> None:
        corpus = texts if isinstance(texts, Corpus) else self.read(texts, encoding=encoding, validation=validation)
        self._prepare(corpus, running)

        def begin() -> "tuple[ModellingNetwork, ModellingTask]":
            from elman.tasks._language.training import ModellingTask, build_network

            network = build_network(self, corpus)
            return network, ModellingTask(self, corpus, network)

        schedule = Schedule(self.learning_rate, self.epochs_, patience=max(3, self.epochs_ // 4))
        self._train(begin, schedule, corpus.digest, running)

    def score(self, texts: Texts, y: None = None) -> float:
        """Return the bits that each character of texts costs, negative: the greater, the better."""
        check_is_fitted(self, "model_")
        measure = self.model_.measure(blocks(texts))
        if not measure.characters:
            raise InputError("texts: expected one character or more, got none")
        return -float(measure.bits_per_character)

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """Draw what follows a prompt: the tokens of :meth:`elman.runtime.LanguageModel.generate` as one text."""
        check_is_fitted(self, "model_")
        drawn = self.model_.generate(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        return "".join(drawn)

    def _restore(self) -> None:
        self._take_sizes(self.model_.settings.network)
        self.set_params(tokens=self.model_.tokens)
        self.vocabulary_ = self.model_.vocabulary

    def _affordable_epochs(self, length: int) -> int:
        known, width, units = len(self.vocabulary_), self.embedding_size, self.hidden_size
        recurrent = len(FAMILIES[self.cell].gates) * units * (2 * units * self.layers - units + width)
        operations = 6 * length * (recurrent + width * (units + known))
        return max(FEWEST_EPOCHS, min(MOST_EPOCHS, round(OPERATIONS / operations)))

    def _prepare(self, corpus: Corpus, running: Running) -> None:
        length = len(corpus.training)
        self.vocabulary_ = corpus.vocabulary
        self.batch_size_ = min(length // self.window - 1, self.batch_size or max(4, min(64, length // 16_000)))
        # where a token occurs seldom, nearly every n-gram is learned by heart
        by_length = max(0.3, min(0.8, 1.0 - 0.1 * math.log10(length / len(corpus.vocabulary))))
        self.ngram_dropout_ = by_length if self.ngram_dropout is None else self.ngram_dropout
        self.epochs_ = self.epochs or self._affordable_epochs(min(length, LONGEST_EPOCH))
        unknown = sum(corpus.held_unknown.values())
        self.data_ = {
            "training": length,
            "validation": len(corpus.held),
            "validation_characters": corpus.held_characters,
            "validation_unknown": unknown,
        }
        running.notice(
            f"{length:,} {NAMES[self.tokens]} to train on, {len(corpus.held):,} to validate; "
            f"{len(corpus.vocabulary):,} known, {unknown:,} of those to validate are not"
        )
        if length > self.epochs_ * LONGEST_EPOCH:
            share = self.epochs_ * LONGEST_EPOCH / length
            read = f"{self.epochs_} read {share:.1%} of the text ({option('epochs')})"
            running.notice(f"an epoch reads {LONGEST_EPOCH:,} at most: {read}")
