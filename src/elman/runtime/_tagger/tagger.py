"""A trained sequence tagger on NumPy and the engine alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._linear import Linear, log_softmax, softmax
from elman.runtime._ngrams import rows_around, summed_rows
from elman.runtime._states import hidden_states
from elman.runtime._tagger.sentences import EncodedSentences, SentenceBatch
from elman.runtime._tagger.settings import TaggerSettings
from elman.runtime._tagger.tags import PLAIN, Span, marked, transitions
from elman.runtime._tagger.viterbi import finite, likeliest_path
from elman.runtime._tagger.words import Token, split
from elman.runtime._trace.trace import Trace, directions_of, layer_states, require_few
from elman.runtime._trained import TrainedModel
from elman.runtime._vocabulary import UNKNOWN, Vocabulary

__all__ = ["SequenceTagger", "Tagged", "checked_sentences"]


class Tagged(NamedTuple):
    """A sentence's tags, (tokens,), and the logarithm of the probability of each, (tokens,)."""

    tags: list[str]
    logarithms: NDArray[np.float32]


class SequenceTagger(TrainedModel):
    """What ``elman train tag`` trained, without PyTorch.

    A word is read as itself, in lower case, and by its characters; the scores of its tags are linear in the states of a
    network over the sentence, and in which n-grams of words end there, or, in two directions, begin::

        c = final states of RNN over the characters, forwards and backwards
        h_1 … h_n = RNN([embedding(w_1), c_1] … [embedding(w_n), c_n])
        scores_t = W h_t + b + sum_k ngrams(w_t-k+1 … w_t) + ngrams(w_t … w_t+k-1)

    Its tags are the likeliest sequence by these scores and by how often a tag follows another, of all that are
    well-formed if they mark spans::

        y_1 … y_n = argmax sum_t log softmax(scores_t)[y_t] + transitions[y_t-1, y_t]

    A sentence's are the same alone and in any batch. Immutable: threads may share one.

    Args:
        settings: the tags, what they are written in, how a text becomes tokens, the network's sizes.
        tensors: the parameters by name: ``embedding.weight`` (words, embedding_size), ``character_embedding.weight``
            (characters, character_size) and ``character_rnn.*`` unless ``character_size`` is 0, ``ngrams.weight``
            (ngram_rows, tags) unless ``ngram`` is 1, ``rnn.*`` as ``rnn`` takes them,
            ``output.weight`` (tags, directions * hidden_size), ``output.bias`` (tags,), and ``transitions``
            (tags + 1, tags + 1) if the settings say so: from a tag (rows) to another (columns), the last is what is
            around a sentence.
        vocabularies: ``words`` and ``characters``, those known.

    Attributes:
        tags: (tags,) in the order of the probabilities.
        rnn: the recurrent layers over sentences, an :class:`elman.runtime.RNN`, ``GRU`` or ``LSTM``.

    Raises:
        InputError: a tensor is missing, or not of float32, or of another shape than the settings say.

    Example:
        >>> import elman
        >>> sentences = [["fly", "to", "Rome"], ["stay", "in", "Paris"]] * 20
        >>> tags = [["O", "O", "B-city"]] * 40
        >>> elman.tasks.SequenceTagger(hidden_size=8, epochs=3).fit(sentences, tags).save("cities")
        >>> elman.load("cities").predict([["go", "to", "Paris"]])  # without PyTorch
        [['O', 'O', 'B-city']]
    """

    format = "elman sequence tagger"
    example = "sentence"
    Settings = TaggerSettings
    vocabulary_names = ("words", "characters")

    def __init__(
        self, settings: TaggerSettings, tensors: Mapping[str, Array], vocabularies: Mapping[str, Vocabulary]
    ) -> None:
        super().__init__(settings, tensors, vocabularies)
        self.tags, self.columns = settings.tags, settings.columns
        network = settings.network
        self.rnn, self._character_rnn = network.build(self.tensors_under("rnn.")), None
        if network.character_size:
            self._character_rnn = network.spelling.build(self.tensors_under("character_rnn."))
        self._output = Linear(self._tensors["output.weight"], self._tensors["output.bias"])
        self._ngrams = self._tensors.get("ngrams.weight")
        self._transitions = transitions(settings.tags, settings.scheme)
        if settings.transitions:
            self._transitions += finite(self._tensors["transitions"])

    def predict(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the tags of each sentence.

        Args:
            sentences: the tokens of each, as the training data have them; :meth:`split` makes them of a text.

        Raises:
            InputError: ``sentences`` are no sequences of strings.
        """
        return [tagged.tags for tagged in self.tag(sentences)]

    def spans(self, sentences: Sequence[Sequence[str]]) -> list[list[Span]]:
        """Return what the tags of each sentence mark: type, first token, and the token after the last.

        Plain tags but ``O`` mark a token each; the type of those that have none (B M E S) is "".
        """
        return [marked(tags, self.settings.scheme) for tags in self.predict(sentences)]

    def predict_proba(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """Return of each sentence the probability of each tag, (tokens, tags), in the order of ``tags``."""
        encoded = self.encode(sentences)
        return encoded.by_sentence(softmax(self.scores(encoded)))

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[Tagged]:
        """Return the tags of each sentence and how likely each is."""
        encoded = self.encode(sentences)
        return self.decode(encoded, log_softmax(self.scores(encoded)))

    def trace(self, sentence: str | Sequence[str]) -> Trace:
        """Step through a sentence: the hidden states, and the probability of each tag of each token.

        Args:
            sentence: a text, which :meth:`split` makes tokens of, or the tokens.

        Returns:
            ``beliefs``: (tokens, tags) what :meth:`predict_proba` says of the sentence, to the bit; ``taken``:
            (tokens,) the tags of :meth:`predict`. In one direction, those of the sentence up to a token are the same.

        Raises:
            InputError: it is neither, or has no token, or more than can be stepped through.
        """
        if isinstance(sentence, str):
            sentence = [token.text for token in self.split(sentence)]
        tokens = _checked_sentence(sentence, "sentence")
        if not tokens:
            raise InputError("sentence: expected one token or more, got none")
        require_few("sentence", tokens, len(self.tags), self.rnn)
        encoded = self.encode([tokens])
        batch, scores = encoded.batch([0]), self.scores(encoded)
        (tagged,) = self.decode(encoded, log_softmax(scores))
        return Trace(
            kind=self.format.removeprefix("elman "),
            read=tokens,
            states=layer_states(self.rnn, self._features(batch)),
            readers=directions_of(self.rnn),
            outcomes=list(self.tags),
            beliefs=softmax(scores),
            taken=np.array([self.tags.index(tag) for tag in tagged.tags]),
            known=batch.words != UNKNOWN,
        )

    def decode(self, encoded: EncodedSentences, logarithms: Array) -> list[Tagged]:
        """Return the tags of each sentence, given the logarithms of the probabilities, (tokens, tags), of all."""
        return [self._decode(rows) for rows in encoded.by_sentence(logarithms)]

    def split(self, text: str) -> list[Token]:
        """Return the tokens of a text, split as the training data suggest, with their places."""
        return split(text, self.settings.kind_of_tokens)

    def encode(self, sentences: Sequence[Sequence[str]]) -> EncodedSentences:
        """Return sentences as numbers."""
        words, characters = (self.vocabularies[name] for name in self.vocabulary_names)
        settings = self.settings
        sides = settings.network.sides
        return EncodedSentences(checked_sentences(sentences), words, characters, settings.kind_of_tokens, sides)

    def scores(self, encoded: EncodedSentences) -> Array:
        """Return the scores, (tokens, tags), of the tokens of all sentences."""
        scores = np.empty((int(encoded.lengths.sum()), len(self.tags)), np.float32)
        for batch in encoded.batches():
            scores[batch.tokens] = self._batch_scores(batch)
        return scores

    def _batch_scores(self, batch: SentenceBatch) -> Array:
        states, _ = self.rnn.run_packed(self._features(batch), batch.batch_sizes)
        scores = self._output(states)
        if self._ngrams is not None:
            scores += summed_rows(
                self._ngrams, rows_around(batch.windows, self.settings.network.ngram, len(self._ngrams))
            )
        return scores

    def _features(self, batch: SentenceBatch) -> Array:
        """Return what the network over sentences reads, (rows, input_size)."""
        features: Array = self._tensors["embedding.weight"][batch.words]
        if self._character_rnn:
            read = self._tensors["character_embedding.weight"][batch.characters]
            _, final = self._character_rnn.run_packed(read, batch.spelling_sizes)
            h_n = hidden_states(final)
            spelled = h_n.swapaxes(0, 1).reshape(h_n.shape[1], -1)
            features = np.concatenate([features, spelled[batch.spellings]], 1)
        return features

    def _decode(self, logarithms: Array) -> Tagged:
        if not len(logarithms):
            return Tagged([], logarithms[:, 0])
        path = likeliest_path(logarithms, self._transitions)
        return Tagged([self.tags[number] for number in path], logarithms[np.arange(len(path)), path])

    def __repr__(self) -> str:
        scheme = "" if self.settings.scheme == PLAIN else f" ({self.settings.scheme})"
        return f"SequenceTagger({len(self.tags)} tags{scheme}, {len(self.vocabularies['words'])} words, {self.rnn!r})"


def checked_sentences(sentences: Any, name: str = "sentences") -> list[list[str]]:
    """Return sentences, or their tags, as lists of strings.

    Raises:
        InputError: they are a text, or hold something else than sequences of strings.
    """
    listed = _listed(sentences, name, "a sequence of sequences of strings")
    return [_checked_sentence(sentence, f"{name}[{place}]") for place, sentence in enumerate(listed)]


def _checked_sentence(sentence: Any, name: str) -> list[str]:
    tokens = _listed(sentence, name, "a sequence of strings")
    for number, token in enumerate(tokens):
        if not isinstance(token, str):
            raise InputError(f"{name}[{number}]: expected a string, got {type(token).__name__}")
    return tokens


def _listed(values: Any, name: str, expected: str) -> list[Any]:
    if isinstance(values, str | bytes):
        raise InputError(f"{name}: expected {expected}, got one text")
    try:
        return list(values)
    except TypeError:
        raise InputError(f"{name}: expected {expected}, got {type(values).__name__}") from None
