"""A trained language model on NumPy and the engine alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman._checks import is_integer
from elman._errors import InputError, OptionError, listed, shown
from elman.runtime._arrays import Array
from elman.runtime._language.sampling import Sampling
from elman.runtime._language.settings import LanguageSettings
from elman.runtime._language.tokens import split, split_blocks
from elman.runtime._linear import Linear, log_softmax, softmax
from elman.runtime._ngrams import ngram_rows
from elman.runtime._trace.trace import Trace, directions_of, layer_states, require_few
from elman.runtime._trained import TrainedModel
from elman.runtime._vocabulary import PADDING, SPECIAL_TOKENS, START, UNKNOWN, Vocabulary

if TYPE_CHECKING:
    from elman.runtime._language.stream import LanguageStream

__all__ = ["LanguageModel", "Measure"]

STEPS_AT_ONCE = 512
CODE_POINTS = 0x110000  # of Unicode


@dataclass(frozen=True)
class Measure:
    """What a text costs by a model.

    Attributes:
        bits: in all: minus the logarithm, to base 2, of the text's probability.
        spelling: those of them that say which the unknown tokens are.
        tokens, characters, unknown: how many it has, and how many of the tokens the model does not know.
    """

    bits: float
    spelling: float
    tokens: int
    characters: int
    unknown: int

    @property
    def bits_per_character(self) -> float:
        return self.bits / self.characters

    @property
    def perplexity(self) -> float:
        """How many equally likely tokens would be as hard to predict, ``<unknown>`` being one of them."""
        return math.pow(2.0, min((self.bits - self.spelling) / self.tokens, 1023.0))


class LanguageModel(TrainedModel):
    r"""What ``elman train language`` trained, without PyTorch.

    Each token is read with the n-grams that end with it; the state after it, projected to the width of the embedding
    E, is compared with the vector of every token that may follow::

        x_t = E(token_t) + sum_n ngrams(token_t-n+1 … token_t)      h_t = RNN(x_t, h_t-1)
        p(token_t+1) = softmax(E (P h_t + c) + b)

    A text is read as if it followed the end of a line. Its probabilities are the same bits whole, in pieces, and token
    by token, and those that training was validated by. Immutable: threads may share one.

    Args:
        settings: what a token is, the network's sizes.
        tensors: the parameters by name: ``embedding.weight`` (tokens, embedding_size), ``ngrams.weight`` (ngram_rows,
            embedding_size) unless ``ngram`` is 1, ``rnn.*`` as ``rnn`` takes them,
            ``projection.weight`` (embedding_size, hidden_size), ``projection.bias`` (embedding_size,),
            ``output_bias`` (tokens,).
        vocabularies: ``vocabulary``, the tokens known.

    Attributes:
        tokens: ``"char"`` or ``"word"``.
        vocabulary: the tokens known; a probability has its place.
        rnn: the recurrent layers, an :class:`elman.runtime.RNN`, ``GRU`` or ``LSTM``.

    Raises:
        InputError: a tensor is missing, or not of float32, or of another shape than the settings say.

    Example:
        >>> import elman
        >>> elman.tasks.LanguageModel(hidden_size=16, ngram=3, epochs=10).fit("to be or not to be, " * 50).save("be")
        >>> model = elman.load("be")  # here and below without PyTorch
        >>> "".join(model.generate("to be or", length=10, temperature=0))
        ' not to be'
    """

    format = "elman language model"
    example = "token"
    enough = 1000
    Settings = LanguageSettings
    vocabulary_names = ("vocabulary",)

    def __init__(
        self, settings: LanguageSettings, tensors: Mapping[str, Array], vocabularies: Mapping[str, Vocabulary]
    ) -> None:
        super().__init__(settings, tensors, vocabularies)
        self.vocabulary, self.context = vocabularies["vocabulary"], settings.network.ngram - 1
        self.tokens, self.kind_of_tokens = settings.tokens, settings.kind_of_tokens
        parameters = self.tensors()
        self._embedding, self._ngrams = parameters["embedding.weight"], parameters.get("ngrams.weight")
        self.rnn = settings.network.build(self.tensors_under("rnn."))
        self._projection = Linear(parameters["projection.weight"], parameters["projection.bias"])
        self._output = Linear(self._embedding, parameters["output_bias"])
        known = self.vocabulary.tokens[len(SPECIAL_TOKENS) :]
        self._alphabet = set("".join(known))
        (opening,) = self.vocabulary.numbers(["\n"])
        self.opening = START if opening == UNKNOWN else opening

    def log_probabilities(self, text: str) -> NDArray[np.float32]:
        """Return the logarithms of the probabilities, (tokens of the text, tokens known), of what each token may be.

        Raises:
            InputError: ``text`` is no string.
        """
        numbers = self.numbers(split(_checked(text), self.kind_of_tokens))
        stream = self.stream()
        return log_softmax(np.concatenate([stream.scores[None], stream.read(numbers)])[: len(numbers)])

    def bits_per_character(self, text: str) -> float:
        """Return the bits that a text takes, for each of its characters.

        Raises:
            InputError: ``text`` is no string, or empty.
        """
        if not _checked(text):
            raise InputError("text: expected one character or more, got none")
        return self.measure([text]).bits_per_character

    def measure(self, blocks: Iterable[str]) -> Measure:
        """Return what a text costs that comes in blocks, cut anywhere; a few hundred tokens are held at a time.

        A token that the model does not know costs what ``<unknown>`` does, and its spelling (:meth:`spelling_bits`).
        """
        stream, bits, spelling, tokens, characters, unknown = self.stream(), 0.0, 0.0, 0, 0, 0
        for block in _regrouped(split_blocks(blocks, self.kind_of_tokens)):
            numbers = self.numbers(block)
            scores = np.concatenate([stream.scores[None], stream.read(numbers)])[: len(numbers)]
            logarithms = log_softmax(scores)[np.arange(len(numbers)), numbers].tolist()
            strange = [token for token, number in zip(block, numbers.tolist(), strict=True) if number == UNKNOWN]
            bits += math.fsum(logarithms) / -math.log(2)
            spelling += math.fsum(map(self.spelling_bits, strange))
            tokens, unknown = tokens + len(block), unknown + len(strange)
            characters += sum(map(len, block))
        return Measure(bits + spelling, spelling, tokens, characters, unknown)

    def spelling_bits(self, token: str) -> float:
        """Return what it costs to say which unknown token it is.

        A character is drawn from all code points that are not known. A word is spelled: each character is drawn from
        those that occur in known words, the end, and a sign that one of the others follows, drawn likewise.
        """
        other = math.log2(CODE_POINTS - len(self._alphabet))
        if self.tokens == "char":
            return other
        each = math.log2(len(self._alphabet) + 2)
        return (len(token) + 1) * each + sum(character not in self._alphabet for character in token) * other

    def trace(self, text: str) -> Trace:
        """Step through a text: the hidden states, and the probability of each token to come next.

        Returns:
            ``read``: (steps,) the end of a line, which a text is read after, and the text's tokens; ``beliefs``:
            (steps, tokens known) what a stream says after each, to the bit; ``taken``: (steps,) the number of the token
            that came next, -1 after the last.

        Raises:
            InputError: ``text`` is no string, or longer than can be stepped through.
        """
        tokens = split(_checked(text), self.kind_of_tokens)
        require_few("text", tokens, len(self.vocabulary), self.rnn)
        numbers = np.concatenate([[self.opening], self.numbers(tokens)])
        embedded = self.embed(np.concatenate([np.full(self.context, PADDING), numbers]))
        states = layer_states(self.rnn, embedded)
        return Trace(
            kind=self.format.removeprefix("elman "),
            read=[self.vocabulary.tokens[self.opening], *tokens],
            states=states,
            readers=directions_of(self.rnn),
            outcomes=list(self.vocabulary.tokens),
            beliefs=softmax(self.score(np.ascontiguousarray(states[:, -1, 0]))),
            taken=np.append(numbers[1:], -1),
            known=numbers != UNKNOWN,
        )

    def stream(self) -> LanguageStream:
        """Return a text that is read piece by piece, with the probabilities of what comes next."""
        from elman.runtime._language.stream import LanguageStream

        return LanguageStream(self)

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> Iterator[str]:
        """Draw what follows a prompt, token by token.

        Args:
            prompt: the text to go on with; "": a new line.
            length: tokens to draw.
            temperature, top_k, top_p: as for :class:`elman.runtime.Sampling`.
            seed: of the draws: the same text each time.

        Returns:
            The tokens, each when it is asked for, without the prompt.

        Raises:
            InputError: the prompt holds what the model does not know, or an option is out of range.
        """
        sampling = Sampling(temperature, top_k, top_p)
        for name, value, least in (("length", length, 0), ("seed", seed, 0)):
            if not is_integer(value, least):
                raise OptionError(name, f"an integer of at least {least}", value)
        stream = self.stream()
        stream.read(self._known_numbers(prompt))
        return self._draws(stream, length, sampling, np.random.default_rng(seed))

    def numbers(self, tokens: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of tokens."""
        return np.array(self.vocabulary.numbers(tokens), dtype=np.int64)

    def embed(self, windows: Array) -> Array:
        """Return what the network reads, (..., steps, embedding_size), of numbers (..., ngram - 1 + steps)."""
        embedded: Array = self._embedding[windows[..., self.context :]]
        if self._ngrams is not None:
            for rows in ngram_rows(windows, self.context + 1, len(self._ngrams)):
                embedded = embedded + self._ngrams[rows]
        return embedded

    def score(self, states: Array) -> Array:
        """Return the scores, (rows, tokens), of states (rows, hidden_size)."""
        return self._output(self._projection(states))

    def lane_bits(self, numbers: Array, lanes: int) -> float:
        """Return the bits of encoded text, cut into so many lanes that are read side by side, which is faster.

        Each begins with nothing before it; its first token, and the few at the end that are left over, are not
        counted.
        """
        span = len(numbers) // lanes
        rows = np.asarray(numbers[: lanes * span]).reshape(lanes, span)
        rows = np.pad(rows, ((0, 0), (self.context, 0)), constant_values=PADDING)
        state, sums = None, []
        for first in range(0, span - 1, STEPS_AT_ONCE // lanes):
            steps = min(STEPS_AT_ONCE // lanes, span - 1 - first)
            embedded = self.embed(rows[:, first : first + self.context + steps])
            states, state = self.rnn(embedded.swapaxes(0, 1), state)
            following = rows[:, first + self.context + 1 :][:, :steps].T.ravel()
            logarithms = log_softmax(self.score(states.reshape(len(following), -1)))
            sums.append(math.fsum(logarithms[np.arange(len(following)), following].tolist()))
        return math.fsum(sums) / -math.log(2) * len(numbers) / (lanes * (span - 1))

    def _known_numbers(self, prompt: str) -> NDArray[np.int64]:
        tokens = split(_checked(prompt, "prompt"), self.kind_of_tokens)
        numbers = self.numbers(tokens)
        if len(numbers) and numbers[0] == UNKNOWN:  # a word that the text has after a space alone
            numbers[0] = self.numbers([f" {tokens[0]}"])[0]
        if (numbers == UNKNOWN).any():
            strange = dict.fromkeys(token for token, number in zip(tokens, numbers, strict=True) if number == UNKNOWN)
            what = {"char": "characters", "word": "words"}[self.tokens]
            raise InputError(f"prompt: expected {what} that the model knows, got {listed(map(repr, strange))}")
        return numbers

    def _draws(
        self, stream: LanguageStream, length: int, sampling: Sampling, generator: np.random.Generator
    ) -> Iterator[str]:
        for _ in range(length):
            scores = stream.scores.copy()
            scores[: len(SPECIAL_TOKENS)] = -np.inf
            number = sampling.draw(scores, generator)
            stream.read(np.array([number]))
            yield self.vocabulary.tokens[number]

    def __repr__(self) -> str:
        return f"LanguageModel({len(self.vocabulary)} tokens ({self.tokens}), {self.rnn!r})"


def _checked(text: str, name: str = "text") -> str:
    if not isinstance(text, str):
        raise InputError(f"{name}: expected a string, got {shown(text)}")
    return text


def _regrouped(blocks: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield the same tokens in blocks of one size, so that sums are the same bits wherever a text was cut."""
    held: list[str] = []
    for block in blocks:
        held += block
        for first in range(0, len(held) - STEPS_AT_ONCE + 1, STEPS_AT_ONCE):
            yield held[first : first + STEPS_AT_ONCE]
        held = held[len(held) // STEPS_AT_ONCE * STEPS_AT_ONCE :]
    if held:
        yield held
