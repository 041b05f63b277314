"""A sequence tagger with scikit-learn's manners."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, shown
from elman._figures import counted
from elman.runtime._tagger.tagger import SequenceTagger as Trained
from elman.runtime._tagger.tagger import checked_sentences
from elman.runtime._tagger.tags import OUTSIDE, PLAIN, detect_scheme, is_bare, marked
from elman.runtime._tagger.words import choose_tokens
from elman.runtime._vocabulary import Vocabulary
from elman.runtime._words.segmentation import composed, lookup
from elman.tasks._base import check_is_fitted
from elman.tasks._estimator import Estimator, Running
from elman.tasks._run import Observer, Schedule
from elman.tasks._splitting import stratified_split
from elman.tasks._tagger.options import TaggerOptions
from elman.tasks._tagger.sound_tags import IOB1, sound_tags

if TYPE_CHECKING:
    from elman.tasks._tagger.training import TaggingNetwork, TaggingTask

__all__ = ["SequenceTagger"]

Sentences = Sequence[Sequence[str]]
Part = tuple[list[list[str]], list[list[str]]]

LARGE = 1000  # sentences; what occurs once in so many teaches nothing of its own


class SequenceTagger(TaggerOptions, Estimator):
    """Tag the tokens of sentences: named entities, slots, parts of speech, punctuation.

    A network over the characters of each word and one over the words of the sentence, so that words never seen have
    tags too. Tags in BIO, IOB1, BIOES, BILOU, BMES or BMEW mark spans, with types or without, and predicted ones are
    always well-formed; others are plain. The defaults suit languages with words and without, a hundred sentences and
    ten thousands. ``None``: chosen from the data.

    Attributes:
        classes_: (tags,) the tags, sorted.
        scheme_: ``"BIO"``, ``"BIOES"``, ``"BILOU"``, ``"BMES"``, ``"BMEW"``, with ``"bare "`` before it if the tags
            have no types, or ``"plain"``; IOB1 has become BIO.
        tokens_: ``"char"`` if all tokens are single characters, else ``"word"``: how texts are split.
        words_, characters_: those known.
        model_: the :class:`elman.runtime.SequenceTagger` that predicts, without PyTorch, with as many threads as
            :func:`elman.set_num_threads` says.
        metrics_: scores on the validation part at the best epoch.
        history_: of each epoch its ``epoch``, ``loss``, ``scores`` by name, and ``seconds``.
        data_: what it saw: numbers of sentences, tokens and spans of each type, and how many sentences were repaired.
        made_with_: versions, kind of machine, instruction sets and threads.

    Example:
        >>> from elman.tasks import SequenceTagger
        >>> sentences = [["fly", "to", "Rome"], ["stay", "in", "Paris"]] * 20
        >>> tags = [["O", "O", "B-city"]] * 40
        >>> tagger = SequenceTagger(hidden_size=8, epochs=10).fit(sentences, tags)
        >>> tagger.predict([["go", "to", "Paris"]])
        [['O', 'O', 'B-city']]
    """

    kind = Trained

    def fit(
        self,
        sentences: Sentences,
        tags: Sentences,
        *,
        validation: tuple[Sentences, Sentences] | None = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        verbose: bool | int = False,
        observer: Observer | None = None,
    ) -> "SequenceTagger":
        """Train on sentences and their tags.

        Args:
            sentences: the tokens of each.
            tags: the tags of each, one a token, two different ones or more.
            validation: sentences and tags to validate on, in place of a share of the sentences.
            checkpoints: the folder in which to keep checkpoints; ``None`` keeps none.
            resume: go on from the checkpoint there, to the bits of an uninterrupted run; begin if there is none.
            verbose: False: silent; True: what ``elman train`` shows, a bar on a terminal, and lines for epochs that did
                better; 2: a line for every epoch.
            observer: told of each step and epoch, in the place of ``verbose``.

        Returns:
            The tagger itself.

        Raises:
            InputError: a ValueError that says in one line which sentence, tag, option or file cannot be used.
        """
        return self._fit_anew(sentences, tags, validation, running=Running(checkpoints, resume, verbose, observer))

    def _fit(
        self, sentences: Sentences, tags: Sentences, validation: tuple[Sentences, Sentences] | None, *, running: Running
    ) -> None:
        sentences, tags = _checked(sentences, tags, "")
        detected = detect_scheme(tags)
        tags, repaired = sound_tags(tags, detected, repair=self.repair_tags, place="tags[{}][{}]".format)
        self.scheme_ = "BIO" if detected == IOB1 else detected
        self.classes_ = self._classes(tags)
        if validation is None:
            training, held, _ = stratified_split(np.zeros(len(tags), np.int64), self.validation, self.seed)
            parts = [([sentences[i] for i in part], [tags[i] for i in part]) for part in (training, held)]
        else:
            parts = [(sentences, tags), self._checked_validation(*validation, detected)]
        self._prepare(parts, repaired)
        self._tell(running, detected)

        def begin() -> "tuple[TaggingNetwork, TaggingTask]":
            from elman.tasks._tagger.training import TaggingTask

            task = TaggingTask(self, parts)
            return task.network, task

        schedule = Schedule(self.learning_rate, self.epochs_, patience=self.epochs_)
        digest = hashlib.sha256(json.dumps([parts, self.scheme_], ensure_ascii=True).encode()).hexdigest()
        self._train(begin, schedule, digest, running)

    def predict(self, sentences: Sentences) -> list[list[str]]:
        """Return the tags of each sentence, given its tokens."""
        check_is_fitted(self, "model_")
        return self.model_.predict(sentences)  # type: ignore[no-any-return]

    def predict_proba(self, sentences: Sentences) -> list[NDArray[np.float32]]:
        """Return of each sentence the probability of each tag, (tokens, tags), in the order of ``classes_``."""
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(sentences)  # type: ignore[no-any-return]

    def score(self, sentences: Sentences, tags: Sentences) -> float:
        """Return the F1 of spans; of plain tags, of those other than ``O``, or the accuracy where none is ``O``."""
        from elman.tasks._tagger.metrics import tagging_report

        sentences, tags = _checked(sentences, tags, "")
        return float(tagging_report(tags, self.predict(sentences), self.scheme_)["f1"])

    def _restore(self) -> None:
        settings, network = self.model_.settings, self.model_.settings.network
        self._take_sizes(replace(network, character_size=network.character_size or self.character_size))
        self.classes_, self.scheme_, self.tokens_ = np.array(settings.tags), settings.scheme, settings.tokens
        self.words_, self.characters_ = (self.model_.vocabularies[name] for name in ("words", "characters"))

    def _classes(self, tags: Sentences) -> NDArray[np.str_]:
        known = {tag for sentence in tags for tag in sentence}
        if self.scheme_ != PLAIN:
            known.add(OUTSIDE)  # without it a sentence might have no well-formed tags
        if len(known) < 2:
            raise InputError(f"tags: expected two different ones or more, got only {shown(*known)}")
        return np.array(sorted(known))

    def _checked_validation(self, sentences: Sentences, tags: Sentences, scheme: str) -> Part:
        sentences, tags = _checked(sentences, tags, "validation ")
        place, known = "validation tags[{}][{}]".format, set(self.classes_.tolist())
        tags, _ = sound_tags(tags, scheme, repair=self.repair_tags, place=place, known=known)
        return sentences, tags

    def _prepare(self, parts: Sequence[Part], repaired: int) -> None:
        (sentences, tags), (held, _) = parts
        self.tokens_ = choose_tokens(sentences)
        self.character_size_ = 0 if self.tokens_ == "char" else self.character_size
        self.ngram_ = self.ngram or (1 if self.tokens_ == "char" else 2)  # those of hanzi gained nothing in trials
        rare = 2 if len(sentences) >= LARGE else 1
        self.words_ = Vocabulary.build(([lookup(token) for token in sentence] for sentence in sentences), rare)
        spelled = (composed(token) for sentence in sentences for token in sentence) if self.character_size_ else ()
        self.characters_ = Vocabulary.build(spelled, rare)
        tokens = sum(map(len, sentences))
        self.epochs_ = self.epochs or min(40, max(5, int(2500 / tokens**0.45)))
        self.batch_size_ = self.batch_size or min(64, max(4, round(len(sentences) / tokens**0.5)))
        counts = Counter(span.type for sentence in tags for span in marked(sentence, self.scheme_))
        self.data_ = {
            "training": len(sentences),
            "validation": len(held),
            "tokens": tokens,
            "repaired": repaired,
            "training_by_class": dict(sorted(counts.items())),
        }

    def _tell(self, running: Running, detected: str) -> None:
        data, kinds = self.data_, {"char": "tokens are single characters", "word": "tokens are words"}
        types = counted(len(data["training_by_class"]), "type")
        scheme = f"{self.scheme_} tags" + ("" if is_bare(self.scheme_) else f" of {types}")
        if self.scheme_ == PLAIN:
            scheme = f"{len(self.classes_)} plain tags"
        running.notice(
            f"{counted(data['training'], 'sentence')} of {counted(data['tokens'], 'token')} to train on, "
            f"{data['validation']:,} to validate; {scheme}; {kinds[self.tokens_]}, {len(self.words_):,} known"
        )
        if detected == IOB1:
            running.notice("tags are IOB1; the model's are BIO")
        if data["repaired"]:
            running.notice(f"ill-formed tags were repaired in {counted(data['repaired'], 'sentence')}")


def _checked(sentences: Any, tags: Any, prefix: str) -> tuple[list[list[str]], list[list[str]]]:
    sentences, tags = checked_sentences(sentences, f"{prefix}sentences"), checked_sentences(tags, f"{prefix}tags")
    if len(sentences) != len(tags):
        raise InputError(f"{prefix}tags: expected those of {len(sentences)} sentences, got those of {len(tags)}")
    if not sentences:
        raise InputError(f"{prefix}sentences: expected one or more, got none")
    for place, (tokens, of_tokens) in enumerate(zip(sentences, tags, strict=True)):
        if not tokens:
            raise InputError(f"{prefix}sentences[{place}]: expected one token or more, got none")
        if len(tokens) != len(of_tokens):
            given = f"{len(tokens)} tokens, got {len(of_tokens)}"
            raise InputError(f"{prefix}tags[{place}]: expected a tag for each of {given}")
        if "" in of_tokens:
            raise InputError(f"{prefix}tags[{place}][{of_tokens.index('')}]: expected a tag, got an empty one")
        if "" in tokens:
            raise InputError(f"{prefix}sentences[{place}][{tokens.index('')}]: expected a string, got an empty one")
    return sentences, tags
