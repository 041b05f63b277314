"""A classifier of sequences of numbers with scikit-learn's manners."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import listed
from elman._figures import counted
from elman.runtime._arrays import Array
from elman.runtime._classifiers.sequence_settings import SequenceSettings
from elman.runtime._classifiers.sequences import SequenceClassifier as Trained
from elman.runtime._classifiers.sequences import checked_sequences, frames_of, steps_of
from elman.runtime._classifiers.settings import ClassifierSizes
from elman.tasks._classifiers.base import Classifier
from elman.tasks._classifiers.convolutions import fit_convolutions
from elman.tasks._classifiers.options import SequenceOptions
from elman.tasks._estimator import Running
from elman.tasks._run import Observer

if TYPE_CHECKING:
    from elman.tasks._classifiers.network import SequenceNetwork

__all__ = ["SequenceClassifier"]

LONGEST = 64  # frames of a typical sequence; in trials, networks that read longer ones step by step learned less
CONSTANT = 1e-12  # of a channel's largest value: a deviation that small is rounding


class SequenceClassifier(SequenceOptions, Classifier):
    """Classify sequences of numbers with recurrent layers, and an output layer on what their units do.

    Fixed convolutions, as MiniRocket's, add to the scores. Sequences have one channel or more and may differ in length.
    Channels are standardised. The defaults suit few sequences and many, short ones and long. ``None``:
    chosen from the data.

    Attributes:
        classes_: (classes,) the labels, sorted.
        settings_: what a prediction needs beside the parameters: channels, size of a frame, sizes of the network.
        model_: the :class:`elman.runtime.SequenceClassifier` that predicts, without PyTorch, with as many threads as
            :func:`elman.set_num_threads` says.
        metrics_: scores on the validation part at the epoch kept.
        history_: of each epoch its ``epoch``, ``loss``, ``scores`` by name, and ``seconds``.
        data_: what it saw: numbers of examples, by class too, lengths, how many values were missing.
        made_with_: versions, kind of machine, instruction sets and threads.

    Example:
        >>> import numpy as np
        >>> from elman.tasks import SequenceClassifier
        >>> rising, falling = np.linspace(0, 1, 9), np.linspace(1, 0, 7)
        >>> X, y = [rising, falling] * 20, ["up", "down"] * 20
        >>> classifier = SequenceClassifier(hidden_size=8, epochs=20).fit(X, y)
        >>> classifier.predict([rising, falling]).tolist()
        ['up', 'down']
    """

    kind = Trained
    arguments, plural = ("X", "y"), "sequences"
    few_to_choose_by = 500

    def fit(
        self,
        X: Any,
        y: Sequence[Any],
        *,
        channels: Sequence[str] | None = None,
        validation: tuple[Any, Sequence[Any]] | None = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        verbose: bool | int = False,
        observer: Observer | None = None,
    ) -> "SequenceClassifier":
        """Train on sequences and their labels.

        Args:
            X: an array (examples, steps, channels), or (examples, steps) of one channel, or a list of arrays
                (steps, channels) or (steps,) of different lengths. NaN is a missing value: it counts as the channel's
                mean, and the network is told where the channel is missing.
            y: (examples,) strings, integers or booleans, of two classes or more.
            channels: what the channels are called; ``None``: "1", "2", …
            validation: sequences and labels to validate on, in place of a share of ``X``.
            checkpoints: the folder in which to keep checkpoints; ``None`` keeps none.
            resume: go on from the checkpoint there, to the bits of an uninterrupted run; begin if there is none.
            verbose: False: silent; True: what ``elman train`` shows, a bar on a terminal, and lines for epochs that did
                better; 2: a line for every epoch.
            observer: told of each step and epoch, in the place of ``verbose``.

        Returns:
            The classifier itself.

        Raises:
            InputError: a ValueError that says in one line which sequence, label, option or file cannot be used.
        """
        return self._fit_anew(X, y, validation, channels, running=Running(checkpoints, resume, verbose, observer))

    def _fit(
        self,
        examples: Any,
        labels: Sequence[Any],
        validation: tuple[Any, Sequence[Any]] | None,
        channels: Sequence[str] | None = None,
        *,
        running: Running,
    ) -> None:
        self.channels_ = list(channels) if channels is not None else None
        super()._fit(examples, labels, validation, running=running)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = True
        return tags

    def _checked(self, examples: Any, name: str) -> list[NDArray[np.float64]]:
        sequences = checked_sequences(examples, len(self.channels_) if self.channels_ else None, name)
        if self.channels_ is None and sequences:
            self.channels_ = [str(number) for number in range(1, sequences[0].shape[1] + 1)]
        return sequences

    def _prepare(self, examples: list[NDArray[np.float64]], labels: NDArray[np.int64], running: Running) -> None:
        assert self.channels_
        count, lengths = len(examples), [len(sequence) for sequence in examples]
        values = np.concatenate(examples)
        missing = np.isnan(values)
        self.mean_, self.scale_ = _standards(values)
        frame_size = self.frame_size or int(np.ceil(median(lengths) / LONGEST))
        flagged = np.flatnonzero(missing.any(0)).tolist()
        network = self._sizes(ClassifierSizes)
        self.settings_ = SequenceSettings(self.classes_.tolist(), self.channels_, flagged, frame_size, network)
        self.epochs_ = self.epochs or min(150, max(10, int(1100 / count**0.45)))
        shortest, longest = min(lengths), max(lengths)
        steps = f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"
        self.data_ |= {"channels": len(self.channels_), "steps": steps, "missing": int(missing.sum())}
        read = [steps_of(self._encode(example), self.settings_) for example in examples]
        sizes, self.convolutions_ = fit_convolutions(read, labels, len(self.classes_), self.seed)
        self.settings_ = replace(self.settings_, convolutions=sizes)
        self._tell(running)

    def _tell(self, running: Running) -> None:
        data, settings = self.data_, self.settings_
        frames = f", read {settings.frame_size} at once" if settings.frame_size > 1 else ""
        channels = f"{data['channels']} channel{'s' * (data['channels'] > 1)}"
        if any(not name.isdecimal() for name in settings.channels):
            channels += f" ({listed(settings.channels)})"
        chosen = " (chosen from the data)" if frames and not self.frame_size else ""
        running.notice(
            f"{counted(data['training'], 'sequence')} to train on, {data['validation']:,} to validate, "
            f"{len(self.classes_)} classes; {channels}, {data['steps']} steps{frames}{chosen}"
        )
        if data["missing"]:
            names = listed(settings.channels[number] for number in settings.flagged)
            running.notice(
                f"{data['missing']:,} values are missing, of the channels {names}; the network is told where"
            )

    def _encode(self, example: NDArray[np.float64]) -> NDArray[np.float32]:
        return frames_of(example, self.settings_, self.mean_, self.scale_)

    def _network(self) -> "SequenceNetwork":
        from elman.tasks._classifiers.network import SequenceNetwork

        settings, options = self.settings_, {"dropout": self.dropout, "engine": self.engine}
        return SequenceNetwork(settings.network, settings.input_size, len(self.classes_), **options)

    def _trained(self, tensors: Mapping[str, Array]) -> Trained:
        return Trained(self.settings_, {"mean": self.mean_, "scale": self.scale_, **self.convolutions_, **tensors})

    def _restore(self) -> None:
        self.settings_ = self.model_.settings
        self._take_sizes(self.settings_.network)
        self.classes_, self.channels_ = self.model_.classes, self.model_.channels
        self.mean_, self.scale_ = self.model_.mean, self.model_.scale
        tensors = self.model_.tensors().items()
        self.convolutions_ = {name: tensor for name, tensor in tensors if name.startswith("convolutions.")}


def _standards(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the standard deviation of each channel of values (steps, channels); 1 if constant."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    largest = np.abs(values).max(0, initial=0, where=known)
    largest[largest == 0] = 1
    shares = np.where(known, values / largest, 0)  # of the largest: the squares of large values could overflow
    mean = shares.sum(0) / count
    deviation = np.sqrt((np.where(known, shares - mean, 0) ** 2).sum(0) / count)
    deviation[deviation < CONSTANT] = 1
    return mean * largest, deviation * largest
