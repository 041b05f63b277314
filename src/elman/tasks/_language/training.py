"""Training a language model's network by truncated backpropagation through time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, embedding_bag

from elman import ops
from elman.nn import Linear
from elman.runtime._language.model import LanguageModel as Trained
from elman.runtime._language.model import Measure
from elman.runtime._language.settings import LanguageSettings, LanguageSizes
from elman.runtime._ngrams import ngram_rows
from elman.runtime._vocabulary import PADDING
from elman.runtime._words import NEWEST
from elman.tasks._language.corpus import LONGEST_EPOCH, Corpus
from elman.tasks._layers import recurrent_layers
from elman.tasks._training import Task

if TYPE_CHECKING:
    from elman.tasks.language_model import LanguageModel

__all__ = ["ModellingNetwork", "ModellingTask", "build_network"]

EMBEDDING_SCALE = 0.5
# The vectors of n-grams are read seldom and have to learn faster than the rest: training works on this fraction of
# them. A power of two, so that the trained model holds the product and has the same bits.
EMBEDDING_GAIN = 4.0
MOST_NGRAM_ROWS = 1 << 15
LANES_TO_VALIDATE = 16

States = tuple[Tensor, ...]


class ModellingNetwork(nn.Module):
    """Score the token that follows each token: :class:`elman.runtime.LanguageModel`, with the same bits.

    The parameters have their names and shapes; ``embedding.weight`` and ``ngrams.weight`` are without the gain.
    """

    def __init__(self, tokens: int, sizes: LanguageSizes, *, drop: float, ngram_drop: float, engine: str) -> None:
        super().__init__()
        single = torch.float32
        self.sizes, self.dropout, self.ngram_dropout = sizes, drop, ngram_drop
        self.embedding = nn.Embedding(tokens, sizes.embedding_size, dtype=single)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_SCALE / EMBEDDING_GAIN)
        self.ngrams = None
        if sizes.ngram > 1:
            self.ngrams = nn.Embedding(sizes.ngram_rows, sizes.embedding_size, dtype=single)
            nn.init.zeros_(self.ngrams.weight)
        self.rnn = recurrent_layers(sizes, sizes.embedding_size, dropout=drop, engine=engine)
        for layer in range(sizes.layers):
            for gate in getattr(self.rnn, f"weight_hh_l{layer}").detach().split(sizes.hidden_size):
                nn.init.orthogonal_(gate)
        self.projection = Linear(sizes.hidden_size, sizes.embedding_size, dtype=single)
        self.output_bias = nn.Parameter(torch.zeros(tokens, dtype=single))

    def forward(self, numbers: Tensor, rows: Tensor, carried: States) -> tuple[Tensor, States]:
        """Return the scores, (steps * lanes, tokens), and the states after the last step.

        Args:
            numbers: (steps, lanes) tokens.
            rows: (ngram - 1, steps, lanes) of the n-grams that end with them.
            carried: the states before, (layers, lanes, hidden_size) each, of an LSTM h and c; none: zeros.
        """
        before = carried if len(carried) > 1 else next(iter(carried), None)
        states, after = self.rnn(EMBEDDING_GAIN * self._embed(numbers, rows), before)
        projected = dropout(self.projection(states.flatten(0, 1)), self.dropout, self.training)
        scores = ops.linear(projected, EMBEDDING_GAIN * self.embedding.weight, self.output_bias)
        return scores, after if isinstance(after, tuple) else (after,)

    def _embed(self, numbers: Tensor, rows: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(numbers)
        if self.ngrams is None:
            return embedded
        if self.training:  # an n-gram is forgotten as a whole: most occur so seldom that they are learned by heart
            places = rows.flatten(1).T
            kept = dropout(torch.ones(places.shape, dtype=embedded.dtype), self.ngram_dropout)
            table = self.ngrams.weight
            return embedded + embedding_bag(places, table, mode="sum", per_sample_weights=kept).view_as(embedded)
        for vectors in self.ngrams(rows):  # one after the other, as without PyTorch
            embedded = embedded + vectors
        return embedded


class ModellingTask(Task):
    """A corpus in windows, the loss and the scores on them.

    The training part is cut into as many lanes as a batch has windows; each is read window by window, with the states
    carried over, from each epoch to the next as well where the text takes several. The number of an example is the
    place where its window begins.
    """

    def __init__(self, model: "LanguageModel", corpus: Corpus, network: ModellingNetwork) -> None:
        self.model, self.corpus, self.network = model, corpus, network
        self.window, self.context = model.window, network.sizes.ngram - 1
        self.states: States = ()
        self.places = torch.zeros(0, dtype=torch.int64)  # where the windows begin that go on from those states

    def batches(self, epoch: int) -> list[list[int]]:
        length, batch_size, window = len(self.corpus.training), self.model.batch_size_, self.window
        epochs_a_pass = -(-length // LONGEST_EPOCH)
        passed, since = divmod(epoch, epochs_a_pass)
        offset = int(np.random.default_rng([self.model.seed, passed]).integers(window))
        span = (length - window) // batch_size
        steps = max(1, span // window // epochs_a_pass)
        lanes = offset + span * np.arange(batch_size) + since * steps * window
        return [(lanes + step * window).tolist() for step in range(steps)]

    def loss(self, network: nn.Module, batch: Sequence[int]) -> Tensor:
        places = torch.tensor(batch)
        windows = self._windows(places.numpy())
        rows = ngram_rows(windows[:, :-1], self.context + 1, self.network.sizes.ngram_rows)
        numbers = torch.from_numpy(windows[:, self.context :].T.copy())
        before = self.states if torch.equal(places, self.places) else ()
        scores, after = network(numbers[:-1], torch.from_numpy(rows.swapaxes(1, 2).copy()), before)
        self.states, self.places = tuple(state.detach() for state in after), places + self.window
        return cross_entropy(scores, numbers[1:].flatten())

    def size(self, batch: Sequence[int]) -> int:
        return len(batch) * self.window

    def trained(self) -> Trained:
        tensors = {name: value.numpy(force=True) for name, value in self.network.state_dict().items()}
        gained = {
            name: EMBEDDING_GAIN * tensors[name] for name in ("embedding.weight", "ngrams.weight") if name in tensors
        }
        settings = LanguageSettings(self.corpus.tokens, self.network.sizes, segmentation=NEWEST)
        return Trained(settings, tensors | gained, {"vocabulary": self.corpus.vocabulary})

    def validate(self) -> dict[str, float]:
        held = self.corpus.held
        if len(held) < 2:
            return {}
        # by what will predict: the bits that any other machine would find, without PyTorch
        trained = self.trained()
        bits = trained.lane_bits(held, max(1, min(LANES_TO_VALIDATE, len(held) // max(2, self.window))))
        unknown = self.corpus.held_unknown
        spelling = sum(count * trained.spelling_bits(token) for token, count in unknown.items())
        measure = Measure(bits + spelling, spelling, len(held), self.corpus.held_characters, sum(unknown.values()))
        return {
            "validation_bits_per_character": measure.bits_per_character,
            "validation_perplexity": measure.perplexity,
        }

    def rank(self, scores: dict[str, float]) -> list[float]:
        return [-scores["validation_bits_per_character"]]

    def carried(self) -> dict[str, Tensor]:
        return dict(zip(self.network.sizes.family.states, self.states, strict=False)) | {"places": self.places}

    def carry(self, tensors: dict[str, Tensor]) -> None:
        self.states = tuple(tensors[name] for name in self.network.sizes.family.states if name in tensors)
        self.places = tensors["places"]

    def _windows(self, places: np.ndarray) -> np.ndarray:
        """Return (lanes, context + window + 1) tokens from those places, those before them first."""
        wanted = places[:, None] + np.arange(-self.context, self.window + 1)
        numbers: np.ndarray = self.corpus.training[np.maximum(wanted, 0)].astype(np.int64)
        numbers[wanted < 0] = PADDING
        return numbers


def build_network(model: "LanguageModel", corpus: Corpus) -> ModellingNetwork:
    """Return a new network of the model's sizes."""
    rows = min(MOST_NGRAM_ROWS, 1 << len(corpus.training).bit_length())
    sizes = model._sizes(LanguageSizes, ngram_rows=rows)
    return ModellingNetwork(
        len(corpus.vocabulary), sizes, drop=model.dropout, ngram_drop=model.ngram_dropout_, engine=model.engine
    )
