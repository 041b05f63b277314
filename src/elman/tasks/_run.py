"""How a run trains, how far it has come, and who hears of it: without PyTorch, whose import takes long."""

from dataclasses import dataclass

import msgspec

from elman.runtime._model_folder import EpochRecord

__all__ = ["EpochRecord", "Observer", "Progress", "Schedule"]


@dataclass(frozen=True)
class Schedule:
    """How to train; the learning rate falls from its greatest value to zero along a half cosine."""

    learning_rate: float
    epochs: int
    patience: int  # epochs without a better score before training stops
    weight_decay: float = 0.01
    greatest_gradient_norm: float = 1.0
    warm_up: float = 0.03  # of all steps
    last: int | None = None  # epoch to stop after, where it has been chosen; None: the last of all


class Progress(msgspec.Struct):
    """How far a run has come."""

    epochs: int = 0  # finished
    steps: int = 0  # done of the epoch at hand
    seconds: float = 0.0  # spent on those steps
    best_epoch: int = 0
    best_rank: list[float] = []
    history: list[EpochRecord] = []


class Observer:
    """What is told of a run; this one listens to nothing."""

    def notice(self, text: str) -> None:
        """Hear of a decision made from the data."""

    def began(self, progress: Progress, epochs: int, steps: int) -> None:
        """Hear that a run begins or goes on, with so many epochs of so many steps."""

    def stepped(self, epoch: int, step: int, loss: float, examples: int) -> None:
        """Hear of a step done: its epoch and place in it, the epoch's mean loss so far, its examples."""

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """Hear of an epoch's figures and whether its weights are kept."""

    def ended(self, progress: Progress) -> None:
        """Hear that training has come to its end."""
