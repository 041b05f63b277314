"""The training loop, the same for every task."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from elman._errors import OptionError
from elman.runtime._trained import TrainedModel
from elman.tasks._run import EpochRecord, Observer, Progress, Schedule

__all__ = ["EpochRecord", "Observer", "Progress", "Schedule", "Store", "Task", "Trainer"]

CHECKPOINT_SECONDS = 30.0  # between checkpoints within an epoch
STEPS_BETWEEN_QUESTIONS = 20


class Task(ABC):
    """What a trainer has to know of a task."""

    @abstractmethod
    def batches(self, epoch: int) -> Sequence[Sequence[int]]:
        """Return the numbers of the examples of each batch of an epoch; a function of the epoch alone."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Sequence[int]) -> Tensor:
        """Return the mean loss of a batch's examples; over processes, each has a share of the batch."""

    def size(self, batch: Sequence[int]) -> int:
        """Return how many losses that mean is over."""
        return len(batch)

    @abstractmethod
    def trained(self) -> TrainedModel:
        """Return what has been learned so far, without PyTorch."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Return the scores on the validation part; nothing if there is none."""

    @abstractmethod
    def rank(self, scores: dict[str, float]) -> list[float]:
        """Return what orders scores, the better the greater."""

    def carried(self) -> dict[str, Tensor]:
        """Return what one batch leaves to the next, for checkpoints."""
        return {}

    def carry(self, tensors: dict[str, Tensor]) -> None:
        """Take up what :meth:`carried` returned."""
        assert not tensors


class Store(Protocol):
    """Where checkpoints are kept."""

    def save(self, progress: Progress, tensors: dict[str, Tensor]) -> None:
        """Keep a checkpoint in place of the last."""


class Trainer:
    """Trains a network on a task with AdamW, and can be stopped after any step and go on to the same bits.

    The loop runs over accelerate. Only the network is handed to it, which is what training over processes
    needs; its wrapper of the optimizer as well added some 0.3 ms to a step of 1 ms. Over processes (torchrun), each
    takes its share of every batch, and the gradients are those of the whole batch.
    """

    def __init__(
        self, network: nn.Module, task: Task, schedule: Schedule, store: Store | None, observer: Observer
    ) -> None:
        from accelerate import Accelerator

        self.accelerator = Accelerator(cpu=True, mixed_precision="no")
        self.processes, self.process = self.accelerator.num_processes, self.accelerator.process_index
        self.network = network
        self.shared: nn.Module = self.accelerator.prepare(network)  # over processes: averages their gradients
        self.task, self.schedule, self.store, self.observer = task, schedule, store, observer
        self.progress = Progress()
        self.losses = torch.zeros(2, dtype=torch.float64)  # of the epoch's steps here: their sum, and of how many
        parameters = list(network.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": schedule.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=schedule.learning_rate, fused=True)
        self.best: dict[str, Tensor] = {}
        self.saved_at = time.monotonic()
        if self.process:  # all began with the same weights; what they forget differs
            torch.manual_seed(torch.initial_seed() + self.process)

    def run(self) -> Progress:
        """Train to the end, leave the best weights in the network, and return how it went."""
        progress, batches = self.progress, self.task.batches(self.progress.epochs)
        self.observer.began(progress, self._last_epoch, len(batches))
        if self.store and not (progress.epochs or progress.steps):
            self._save()
        while not self._is_finished():
            self._epoch(batches)
            batches = self.task.batches(progress.epochs)
        self.network.load_state_dict(self.best)
        self.network.eval()
        self.observer.ended(progress)
        return progress

    def tensors(self) -> dict[str, Tensor]:
        """Return all that :meth:`restore` needs beside the progress."""
        from accelerate.utils import gather_object

        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        own = {"generator": torch.get_rng_state(), "losses": self.losses.clone()}
        own |= {f"carried.{name}": value for name, value in self.task.carried().items()}
        for process, theirs in enumerate(gather_object([own])):
            tensors |= {f"process.{process}.{name}": value for name, value in theirs.items()}
        return tensors

    def restore(self, progress: Progress, tensors: dict[str, Tensor]) -> None:
        """Put a run back to where a checkpoint was made.

        Raises:
            KeyError, RuntimeError: the tensors are not of this network.
        """
        self.progress = progress
        self.network.load_state_dict(_under("network.", tensors))
        self.best = _under("best.", tensors)
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, _, key = name.partition(".")
            states.setdefault(int(number), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        own = _under(f"process.{self.process}.", tensors)
        self.losses = own["losses"]
        self.task.carry(_under("carried.", own))
        torch.set_rng_state(own["generator"])

    @property
    def _last_epoch(self) -> int:
        return self.schedule.last or self.schedule.epochs

    def _is_finished(self) -> bool:
        progress = self.progress
        stale = bool(progress.best_rank) and progress.epochs - progress.best_epoch >= self.schedule.patience
        return progress.epochs >= self._last_epoch or (stale and progress.steps == 0)

    def _epoch(self, batches: Sequence[Sequence[int]]) -> None:
        progress, epoch = self.progress, self.progress.epochs + 1
        self.network.train()
        for batch in batches[progress.steps :]:
            started = time.monotonic()
            self._step(batch, len(batches))
            progress.seconds += time.monotonic() - started
            progress.steps += 1
            total, count = self.losses.tolist()
            self.observer.stepped(epoch, progress.steps, total / max(count, 1), len(batch))
            if progress.steps < len(batches) and self._is_checkpoint_due():
                self._save()
        self._end_epoch(epoch)

    def _step(self, batch: Sequence[int], steps: int) -> None:
        rate = self._learning_rate(steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        share = batch[self.process :: self.processes]
        loss = self.task.loss(self.shared, share or batch[:1])
        value, size = loss.item(), self.task.size(share) if share else 0
        if not math.isfinite(value):
            wanted = f"a smaller one, for the loss became {value}"
            raise OptionError("learning_rate", wanted, self.schedule.learning_rate)
        if self.processes > 1:  # the mean over processes becomes the mean over the batch
            loss = loss * (self.processes * size / self.task.size(batch))
        self.accelerator.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.greatest_gradient_norm)
        self.optimizer.step()
        self.losses += torch.tensor([value * size, size], dtype=torch.float64)

    def _learning_rate(self, steps: int) -> float:
        all_steps = self.schedule.epochs * steps
        done = self.progress.epochs * steps + self.progress.steps
        warm_up = max(1.0, self.schedule.warm_up * all_steps)
        falling = 0.5 * (1 + math.cos(math.pi * done / all_steps))
        return self.schedule.learning_rate * min(1.0, (done + 1) / warm_up) * falling

    def _end_epoch(self, epoch: int) -> None:
        progress, started = self.progress, time.monotonic()
        self.network.eval()
        with torch.no_grad():
            scores = self.task.validate()
        seconds = progress.seconds + time.monotonic() - started
        total, count = self.accelerator.reduce(self.losses).tolist()
        record = EpochRecord(epoch, total / count, scores, seconds)
        rank = self.task.rank(scores) if scores else []
        best = rank > progress.best_rank or not scores
        if best:
            progress.best_epoch, progress.best_rank = epoch, rank
            self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        progress.history.append(record)
        progress.epochs, progress.steps, progress.seconds = epoch, 0, 0.0
        self.losses = torch.zeros_like(self.losses)
        self._save()
        self.observer.epoch_ended(record, best)

    def _is_checkpoint_due(self) -> bool:
        """Whether the last checkpoint is old; processes have to agree on it, and are asked now and then."""
        from accelerate.utils import broadcast_object_list

        due = [self.store is not None and time.monotonic() - self.saved_at > CHECKPOINT_SECONDS]
        if self.processes > 1:
            if self.progress.steps % STEPS_BETWEEN_QUESTIONS:
                return False
            broadcast_object_list(due)
        return due[0]

    def _save(self) -> None:
        if self.store:
            tensors = self.tensors()  # a matter of all processes
            if self.accelerator.is_main_process:
                self.store.save(self.progress, tensors)
            self.saved_at = time.monotonic()


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
