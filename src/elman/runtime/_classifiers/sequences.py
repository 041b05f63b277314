"""A trained classifier of sequences of numbers on NumPy and the engine alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, shown
from elman.runtime._arrays import Array, as_array
from elman.runtime._classifiers.base import READING_BATCH, TrainedClassifier
from elman.runtime._classifiers.convolutions import Convolutions
from elman.runtime._classifiers.sequence_settings import SequenceSettings
from elman.runtime._linear import Linear
from elman.runtime._trace.trace import Trace, directions_of, layer_states, require_few
from elman.runtime._vocabulary import Vocabulary

__all__ = ["SequenceClassifier", "checked_sequences", "frames_of", "steps_of"]

FARTHEST = 100.0  # standard deviations from the mean; what lies beyond counts as so far


class SequenceClassifier(TrainedClassifier):
    """What ``elman train classify`` trained on sequences of numbers, without PyTorch.

    Each channel is brought to mean 0 and standard deviation 1, as they were in training; a missing value becomes 0, and
    for the channels that had missing values in training another input is 1 there. So many steps as a frame has
    are read at once; the last frame is filled up with zeros. The scores are linear in what each hidden unit does over
    the frames: its greatest value, its mean, and its state after the last frame of its direction; and, in models that
    have them, in the share of steps on which each fixed convolution of the steps x lies above each of its thresholds::

        h_1 … h_n = RNN(frame_1 … frame_n)        s = mean_t [(kernels * x)_t > thresholds]
        scores = W [max_t h_t, mean_t h_t, h_n] + b + V s + c

    A sequence's probabilities are the same bits alone and in any batch, and those that training was validated by.
    Immutable: threads may share one.

    Args:
        settings: the labels, the channels, the size of a frame, the network's sizes.
        tensors: the parameters by name: ``mean`` and ``scale`` (channels,), float64, ``rnn.*`` as
            ``rnn`` takes them, ``output.weight`` (classes, 3 * directions * hidden_size), ``output.bias`` (classes,);
            of the convolutions, if there are any, ``convolutions.channels`` (kernels, channels), 1 where a kernel reads
            a channel, ``convolutions.thresholds`` (kernels, thresholds), ``convolutions.weight`` (classes, kernels *
            thresholds), ``convolutions.bias`` (classes,).

    Attributes:
        classes: (classes,) the labels, in the order of the probabilities.
        channels: their names.
        rnn: the recurrent layers, an :class:`elman.runtime.RNN`, ``GRU`` or ``LSTM``.

    Raises:
        InputError: a tensor is missing, or of another dtype or shape than the settings say.

    Example:
        >>> import elman
        >>> import numpy as np
        >>> rising, falling = np.linspace(0, 1, 9), np.linspace(1, 0, 7)
        >>> X, y = [rising, falling] * 20, ["up", "down"] * 20
        >>> elman.tasks.SequenceClassifier(hidden_size=8, epochs=5).fit(X, y).save("waves")
        >>> elman.load("waves").predict([rising, falling]).tolist()  # without PyTorch
        ['up', 'down']
    """

    format = "elman sequence classifier"
    example = "sequence"
    Settings = SequenceSettings
    double_tensors = ("mean", "scale")

    def __init__(
        self,
        settings: SequenceSettings,
        tensors: Mapping[str, Array],
        vocabularies: Mapping[str, Vocabulary] | None = None,
    ) -> None:
        super().__init__(settings, tensors, vocabularies)
        self.channels, self.columns = settings.channels, settings.columns
        self.mean, self.scale = self._tensors["mean"], self._tensors["scale"]
        self._convolutions: tuple[Convolutions, Linear] | None = None
        if settings.convolutions.dilations:
            tensors = self.tensors_under("convolutions.")
            kernels = Convolutions(settings.convolutions.dilations, tensors["channels"], tensors["thresholds"])
            self._convolutions = kernels, Linear(tensors["weight"], tensors["bias"])

    def predict_proba(self, sequences: Any) -> NDArray[np.float32]:
        """Return the probability of each class, (examples, classes), in the order of ``classes``.

        Args:
            sequences: an array (examples, steps, channels), or (examples, steps) of one channel, or a list of arrays
                (steps, channels) or (steps,) of different lengths. NaN is a missing value.

        Raises:
            InputError: they are none of these, or of other channels than in training.
        """
        return self._probabilities([self.encode(each) for each in checked_sequences(sequences, len(self.channels))])

    def trace(self, sequence: Any) -> Trace:
        """Step through a sequence: the hidden states, and the class probabilities were it to end after each frame.

        Args:
            sequence: (steps, channels), or (steps,) of one channel, NaN where missing.

        Returns:
            ``read``: (frames,) the numbers of the steps that each holds, from 1; ``signal``: (frames, channels) the
            means of the known values in each; ``beliefs``: (frames, classes) what :meth:`predict_proba` says of the
            sequence up to the end of a frame, to the bit.

        Raises:
            InputError: it is no such array, or longer than can be stepped through.
        """
        array = _checked_sequence(sequence, "sequence", len(self.channels))
        size = self.settings.frame_size
        ends = [min(begin + size, len(array)) for begin in range(0, len(array), size)]
        require_few("sequence", ends, len(self.classes), self.rnn)
        chunks = (ends[first : first + READING_BATCH] for first in range(0, len(ends), READING_BATCH))
        beliefs = np.concatenate([self._probabilities([self.encode(array[:end]) for end in chunk]) for chunk in chunks])
        frames = [array[end - 1 - (end - 1) % size : end] for end in ends]
        return Trace(
            kind=self.format.removeprefix("elman "),
            read=[
                str(end) if size == 1 else f"{end - len(frame) + 1}–{end}"
                for end, frame in zip(ends, frames, strict=True)
            ],
            states=layer_states(self.rnn, self._read(self.encode(array))),
            readers=directions_of(self.rnn),
            outcomes=[str(label) for label in self.classes],
            beliefs=beliefs,
            taken=beliefs.argmax(1),
            signal=np.array([_known_mean(frame) for frame in frames]),
            channels=list(self.channels),
        )

    def encode(self, sequence: Array) -> NDArray[np.float32]:
        """Return the frames, (frames, input_size), of a sequence, (steps, channels)."""
        return frames_of(sequence, self.settings, self.mean, self.scale)

    def convolution_scores(self, encoded: Sequence[Array]) -> Array:
        """Return what convolutions add to the scores, (examples, classes), of encoded examples."""
        if self._convolutions is None:
            return np.zeros((len(encoded), len(self.classes)), np.float32)
        kernels, linear = self._convolutions
        return linear(kernels.shares([steps_of(frames, self.settings) for frames in encoded]))

    def _batch_scores(self, encoded: Sequence[Any], lengths: NDArray[np.int64]) -> Array:
        scores: Array = super()._batch_scores(encoded, lengths) + self.convolution_scores(encoded)
        return scores

    def __repr__(self) -> str:
        sizes = f"{len(self.classes)} classes, {len(self.channels)} channels, frames of {self.settings.frame_size}"
        return f"SequenceClassifier({sizes}, {self.rnn!r})"


def frames_of(sequence: Array, settings: SequenceSettings, mean: Array, scale: Array) -> NDArray[np.float32]:
    """Return what the network reads of a sequence.

    Args:
        sequence: (steps, channels), float64; NaN is a missing value.
        settings: of the network.
        mean, scale: (channels,), by which the channels are standardised.

    Returns:
        The frames, (frames, input_size).
    """
    missing = np.isnan(sequence)
    with np.errstate(all="ignore"):  # a stranger's mean and scale may be any numbers
        scaled = np.clip((sequence - mean) / scale, -FARTHEST, FARTHEST)
    inputs = np.hstack([np.where(missing, 0, scaled), missing[:, settings.flagged]])
    frames = -(-len(inputs) // settings.frame_size)
    filled = np.zeros((frames * settings.frame_size, inputs.shape[1]), np.float32)
    filled[: len(inputs)] = inputs
    return filled.reshape(frames, settings.input_size)


def steps_of(frames: Array, settings: SequenceSettings) -> Array:
    """Return the steps, (steps, step_size), of the frames of a sequence, with the zeros that fill up the last."""
    return frames.reshape(-1, settings.step_size)


def checked_sequences(sequences: Any, channels: int | None = None, name: str = "X") -> list[NDArray[np.float64]]:
    """Return ``sequences`` as a list of arrays (steps, channels).

    Args:
        sequences: as :meth:`SequenceClassifier.predict_proba` takes them.
        channels: how many each must have; None: as many as the first.
        name: what messages call them.

    Raises:
        InputError: they are none of these; the message says which of them.
    """
    if hasattr(sequences, "__array__"):
        sequences = _as_examples(as_array(sequences, name) if _dtype(sequences) != "O" else np.asarray(sequences), name)
    elif not isinstance(sequences, Sequence) or isinstance(sequences, str | bytes):
        sparse = "sparse " if hasattr(sequences, "toarray") else ""
        raise InputError(f"{name}: expected an array or a list of sequences, got {sparse}{type(sequences).__name__}")
    checked = []
    for place, sequence in enumerate(sequences):
        checked.append(_checked_sequence(sequence, f"{name}[{place}]", channels))
        channels = channels or checked[0].shape[1]
    return checked


def _checked_sequence(sequence: Any, place: str, channels: int | None) -> NDArray[np.float64]:
    plain = sequence.tolist() if _dtype(sequence) == "O" else sequence
    array = as_array(plain, place, np.dtype(np.float64))
    array = array[:, None] if array.ndim == 1 else array
    return _checked(array, place, channels or array.shape[-1])


def _known_mean(frame: Array) -> NDArray[np.float64]:
    """Return the mean of each channel's known values, (channels,), NaN where there is none."""
    known = ~np.isnan(frame)
    sums, counts = np.where(known, frame, 0).sum(0), known.sum(0)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return means


def _dtype(array: Any) -> str:
    return getattr(getattr(array, "dtype", None), "kind", "")


def _as_examples(array: Array, name: str) -> Array:
    if array.ndim in (2, 3) or (array.ndim == 1 and array.dtype.kind == "O"):
        return array
    raise InputError(f"{name}: expected the shape (examples, steps[, channels]), got {shown(array.shape)}")


def _checked(array: Array, place: str, channels: int) -> Array:
    if array.ndim != 2:
        raise InputError(f"{place}: expected the shape (steps, channels) or (steps,), got {shown(array.shape)}")
    if array.shape[1] != channels:
        raise InputError(f"{place}: expected {channels} channels, got {array.shape[1]}")
    if not array.shape[0] or not channels:
        raise InputError(f"{place}: expected one step and one channel or more, got the shape {array.shape}")
    infinite = np.argwhere(np.isinf(array))
    if len(infinite):
        step, channel = infinite[0].tolist()
        raise InputError(
            f"{place}, step {step}, channel {channel}: expected a finite number or NaN for a missing one, got "
            f"{array[step, channel]}"
        )
    return array
