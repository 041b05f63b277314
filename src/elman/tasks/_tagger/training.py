"""The network of a sequence tagger, and its training."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, from_numpy, nn
from torch.nn.functional import cross_entropy, dropout, embedding
from torch.nn.utils.rnn import PackedSequence

from elman.nn import Linear
from elman.runtime._linear import log_softmax
from elman.runtime._ngrams import rows_around
from elman.runtime._states import hidden_states
from elman.runtime._tagger.sentences import EncodedSentences, SentenceBatch
from elman.runtime._tagger.settings import TaggerSettings, TaggerSizes
from elman.runtime._tagger.tagger import SequenceTagger as Trained
from elman.runtime._vocabulary import PADDING, SPECIAL_TOKENS, UNKNOWN
from elman.runtime._words import NEWEST
from elman.tasks._batching import shuffled_batches
from elman.tasks._layers import EMBEDDING_SCALE, NgramScores, ngram_table_rows, recurrent_layers, trained_tensors
from elman.tasks._tagger.metrics import tagging_report
from elman.tasks._training import Task

if TYPE_CHECKING:
    from elman.tasks.sequence_tagger import SequenceTagger

__all__ = ["TaggingNetwork", "TaggingTask", "transition_logarithms"]

NGRAM_DROPOUT = 0.5
TRANSITION_WEIGHT = 0.3  # beside the scores, which know most of it
UNSEEN = 0.1  # times that every transition is taken for seen beside those it was
UNKNOWN_RATE = 0.1  # of words taken for unknown, to learn what their characters and neighbours say
FEW = 500  # sentences: which epoch they like best is chance, and the last, as the learning rate has fallen, is better

Sentences = Sequence[Sequence[str]]
Part = tuple[Sentences, Sentences]


class TaggingNetwork(nn.Module):
    """Score the tags of tokens, as :class:`elman.runtime.SequenceTagger` does, to the bit.

    Parameters by name: as the runtime's class lists them.

    Args:
        settings: the tags and the network's sizes.
        words, characters: how many of each are known.
        dropout: share of the features forgotten, of what the network over sentences reads and of its states.
        engine: whose recurrent layers.

    Attributes:
        transitions: counted, not learned: see :func:`transition_logarithms`.
    """

    transitions: Tensor

    def __init__(self, settings: TaggerSettings, words: int, characters: int, *, dropout: float, engine: str) -> None:
        super().__init__()
        network, single = settings.network, torch.float32  # model files hold that
        self.embedding = _embedding(words, network.embedding_size)
        self.reads_characters = network.character_size > 0
        if self.reads_characters:
            self.character_embedding = _embedding(characters, network.character_size)
            self.character_rnn = recurrent_layers(network.spelling, network.character_size, dropout=0.0, engine=engine)
        self.rnn = recurrent_layers(network, network.input_size, dropout=dropout, engine=engine)
        self.output = Linear(network.features, len(settings.tags), dtype=single)
        self.dropout, self.ngram, self.ngrams = dropout, network.ngram, None
        if network.ngram > 1:
            self.ngrams = NgramScores(network.ngram_rows, len(settings.tags), dropout=NGRAM_DROPOUT, gain=1.0)
        around = len(settings.tags) + 1
        self.register_buffer("transitions", torch.zeros(around, around, dtype=single))

    def forward(self, batch: SentenceBatch) -> Tensor:
        """Return the scores, (rows, tags), of packed sentences."""
        words = from_numpy(batch.words)
        if self.training:
            drawn = torch.rand(words.shape, dtype=torch.float32) < UNKNOWN_RATE
            words = words.masked_fill(drawn & (words >= len(SPECIAL_TOKENS)), UNKNOWN)
        features = self.embedding(words)
        if self.reads_characters:
            read = self.character_embedding(from_numpy(batch.characters))
            _, final = self.character_rnn(PackedSequence(read, from_numpy(batch.spelling_sizes)))
            spelled = hidden_states(final).transpose(0, 1).flatten(1)
            # no index: its gradient is added up by whichever thread comes first
            features = torch.cat([features, embedding(from_numpy(batch.spellings), spelled)], 1)
        features = dropout(features, self.dropout, self.training)
        states, _ = self.rnn(PackedSequence(features, from_numpy(batch.batch_sizes)))
        scores: Tensor = self.output(dropout(states.data, self.dropout, self.training))
        if self.ngrams is not None:
            rows = from_numpy(rows_around(batch.windows, self.ngram, self.ngrams.num_embeddings))
            scores = scores + self.ngrams(rows.T.contiguous())
        return scores


class TaggingTask(Task):
    """Sentences and tags as numbers, and the loss and scores on them."""

    def __init__(self, tagger: "SequenceTagger", parts: Sequence[Part]) -> None:
        self.tagger, self.settings = tagger, _settings(tagger)
        self.vocabularies = {"words": tagger.words_, "characters": tagger.characters_}
        sizes = len(tagger.words_), len(tagger.characters_)
        self.network = TaggingNetwork(self.settings, *sizes, dropout=tagger.dropout, engine=tagger.engine)
        (sentences, tags), (held, self.held_tags) = parts
        known, sides = (tagger.words_, tagger.characters_), self.settings.network.sides
        self.encoded, self.held = (EncodedSentences(s, *known, sides=sides) for s in (sentences, held))
        self.labels, self.held_labels = self._numbers(tags), self._numbers(self.held_tags)
        counted = transition_logarithms(self.labels, self.encoded.lengths, len(self.settings.tags))
        self.network.transitions.copy_(from_numpy(TRANSITION_WEIGHT * counted))

    def batches(self, epoch: int) -> list[list[int]]:
        self.epoch = epoch
        return shuffled_batches(self.encoded.lengths.tolist(), self.tagger.batch_size_, self.tagger.seed, epoch)

    def loss(self, network: nn.Module, batch: Sequence[int]) -> Tensor:
        sentences = self.encoded.batch(batch)
        return cross_entropy(network(sentences), from_numpy(self.labels[sentences.tokens]))

    def size(self, batch: Sequence[int]) -> int:
        return int(self.encoded.lengths[batch].sum())

    def trained(self) -> Trained:
        return Trained(self.settings, trained_tensors(self.network), self.vocabularies)

    def validate(self) -> dict[str, float]:
        if not self.held_tags:
            return {}
        # by what will predict: the bits of an evaluation later, without PyTorch
        model = self.trained()
        logarithms = log_softmax(model.scores(self.held))
        predicted = [tagged.tags for tagged in model.decode(self.held, logarithms)]
        report = tagging_report(self.held_tags, predicted, self.settings.scheme)
        losses = -logarithms[np.arange(len(logarithms)), self.held_labels]
        return {
            "validation_loss": math.fsum(losses.tolist()) / len(losses),
            "validation_f1": report["f1"],
            "validation_accuracy": report["accuracy"],
        }

    def rank(self, scores: dict[str, float]) -> list[float]:
        if len(self.held_tags) < FEW:
            return [self.epoch]
        return [scores["validation_f1"], -scores["validation_loss"]]

    def _numbers(self, tags: Sentences) -> NDArray[np.int64]:
        places = {tag: number for number, tag in enumerate(self.settings.tags)}
        return np.array([places[tag] for sentence in tags for tag in sentence], dtype=np.int64)


def _settings(tagger: "SequenceTagger") -> TaggerSettings:
    known, scheme, tokens = tagger.classes_.tolist(), cast("Any", tagger.scheme_), cast("Any", tagger.tokens_)
    rows = ngram_table_rows(tagger.data_["tokens"], len(known)) if tagger.ngram_ > 1 else 1
    chosen = {"character_size": tagger.character_size_, "ngram": tagger.ngram_, "ngram_rows": rows}
    sizes = tagger._sizes(TaggerSizes, **chosen)
    return TaggerSettings(known, scheme, tokens, {}, sizes, NEWEST, transitions=True)


def transition_logarithms(numbers: NDArray[np.int64], lengths: NDArray[np.int64], tags: int) -> NDArray[np.float64]:
    """Return how much likelier a tag is after another than anywhere, by how often it was seen: the logarithms.

    Args:
        numbers: (tokens,) of the tags of all sentences.
        lengths: (sentences,) their tokens, one or more each.
        tags: how many there are.

    Returns:
        (tags + 1, tags + 1), from rows to columns; the last row and column are the start and the end of a sentence.
    """
    ends = np.cumsum(lengths)
    around = np.insert(numbers, np.append(0, ends), tags)  # one mark between two sentences is the end and the start
    counts = np.full((tags + 1, tags + 1), UNSEEN)
    np.add.at(counts, (around[:-1], around[1:]), 1)
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    return np.log(counts / expected)  # type: ignore[no-any-return]


def _embedding(tokens: int, size: int) -> nn.Embedding:
    embedding = nn.Embedding(tokens, size, padding_idx=PADDING, dtype=torch.float32)
    nn.init.normal_(embedding.weight, std=EMBEDDING_SCALE)
    with torch.no_grad():
        embedding.weight[PADDING].zero_()
    return embedding
