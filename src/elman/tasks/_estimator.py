"""What the estimators of all tasks share: training, saving, loading."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_type_hints

import numpy as np

from elman._errors import InputError, OptionError
from elman._extras import Extra
from elman._figures import figure, scores
from elman._names import take_over
from elman.runtime._config import Origin
from elman.runtime._model_folder import CONFIG, Model, claim_folder, read_model, write_model
from elman.runtime._recurrent_sizes import RecurrentSizes
from elman.runtime._trained import TrainedModel
from elman.tasks._base import BaseEstimator, check_is_fitted, clone
from elman.tasks._options import TrainingOptions, check_options, documented
from elman.tasks._run import Observer, Schedule
from elman.tasks._screen import screen

if TYPE_CHECKING:
    from torch import nn

    from elman.tasks._training import Task

__all__ = ["Estimator", "Running"]

Self = TypeVar("Self", bound="Estimator")
Sizes = TypeVar("Sizes", bound=RecurrentSizes)


@dataclass(frozen=True)
class Running:
    """Where a run keeps its checkpoints, whether it goes on from the last, and what is shown or told of it."""

    checkpoints: str | Path | None = None
    resume: bool = False
    verbose: bool | int = False
    observer: Observer | None = None

    @contextmanager
    def watched(self) -> "Iterator[Running]":
        """Yield the same with an observer that shows it as ``verbose`` asks.

        Raises:
            OptionError: ``verbose`` is none of its values, or there is an observer as well.
        """
        if self.verbose not in (False, True, 2):
            raise OptionError("verbose", "False, True or 2", self.verbose)
        if not self.verbose:
            yield replace(self, observer=self.observer or Observer())
            return
        if self.observer:
            raise OptionError("verbose", "False beside an observer", self.verbose)
        with screen(every=self.verbose == 2) as observer:
            yield replace(self, observer=observer)

    def notice(self, text: str) -> None:
        """Tell of a decision made from the data."""
        if self.observer:
            self.observer.notice(text)


class Estimator(TrainingOptions, BaseEstimator):  # type: ignore[misc]
    """A model that is trained on a person's own data, with scikit-learn's manners.

    A task's class has its options from a dataclass of its own, by which they are checked and documented, and which the
    command line reads without scikit-learn. It checks what ``fit`` is given in ``_fit``, which calls ``_train``, and
    takes over what a folder says in ``_restore``.
    """

    kind: ClassVar[type[TrainedModel]]

    model_: Any
    metrics_: dict[str, Any]
    history_: list[Any]
    data_: dict[str, Any]
    made_with_: dict[str, str]
    run_: dict[str, Any]
    _fit: Callable[..., None]

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "    Attributes:\n" in (cls.__doc__ or ""):  # as each task's class has them
            cls.__doc__ = documented(cls)
            take_over(cls, "__init__")
            types = get_type_hints(cls.__init__)  # without limits and help: what the signature shows
            cls.__init__.__annotations__ = types | {"return": None}

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a model folder.

        Raises:
            InputError: it cannot be written, or holds other files, or a model and not ``overwrite``.
        """
        check_is_fitted(self, "model_")
        claim_folder(Path(folder), self.kind, overwrite=overwrite)
        origin = Origin(self.get_params(), self.data_, self.made_with_, self.run_)
        trained = self.model_
        content = trained.settings, trained.tensors(), trained.vocabularies, origin, self.metrics_, self.history_
        write_model(Path(folder), Model(self.kind, *content))

    @classmethod
    def load(cls: type[Self], folder: str | Path) -> Self:
        """Read a model folder.

        Raises:
            InputError: it is no folder of such a model of this version, or damaged.
        """
        model = read_model(Path(folder), cls.kind)
        estimator = cls()
        known = estimator.get_params().keys()
        options = {name: value for name, value in model.origin.options.items() if name in known}
        estimator.set_params(**options | {"threads": None})
        estimator.model_ = model.kind(model.settings, model.tensors, model.vocabularies)
        estimator.metrics_, estimator.history_ = model.metrics, model.history
        origin = model.origin
        estimator.data_, estimator.made_with_, estimator.run_ = origin.data, origin.made_with, origin.run
        estimator._restore()
        try:
            check_options(cls, estimator.get_params())
        except OptionError as error:  # InputError: it is the file's option, not one of the command line
            raise InputError(f"{Path(folder) / CONFIG}: expected sound options, got {error}") from None
        return estimator

    def _restore(self) -> None:
        """Take over what ``model_`` says."""

    def _sizes(self, made: type[Sizes], **others: Any) -> Sizes:
        """Return the sizes of a network: those that are options, by their names, and others."""
        return made(**{name: getattr(self, name) for name in _options_among(made, self)} | others)

    def _take_sizes(self, sizes: RecurrentSizes) -> None:
        """Take over the sizes of a network, whatever options its folder names; ``None`` stays a choice to be made."""
        named = (name for name in _options_among(type(sizes), self) if getattr(self, name) is not None)
        self.set_params(**{name: getattr(sizes, name) for name in named})

    def _fit_anew(self: Self, *data: Any, running: Running) -> Self:
        Extra("train", ("torch", "accelerate")).require(f"{type(self).__name__}.fit")
        fitted = clone(self)
        scalars = {name: value.item() for name, value in self.get_params().items() if isinstance(value, np.generic)}
        fitted.set_params(**scalars)  # as a grid of NumPy's numbers has them
        check_options(type(self), fitted.get_params())
        fitted.run_ = {}
        with running.watched() as watched:
            fitted._fit(*data, running=watched)
        self.__dict__.update(vars(fitted))  # at once: one that is stopped leaves what was before
        return self

    def _train(
        self, begin: "Callable[[], tuple[nn.Module, Task]]", schedule: Schedule, digest: str, running: Running
    ) -> None:
        """Train a network on a task and keep what it has learned.

        The caller's random numbers and thread count are left as they were.

        Args:
            begin: makes the network and its task; what is drawn at random there comes from ``seed``.
            schedule: how to train.
            digest: of the data, by which a resumed run knows them.
            running: checkpoints and observer.
        """
        import torch

        from elman.tasks._checkpoints import CheckpointStore
        from elman.tasks._environment import environment
        from elman.tasks._training import Trainer

        options = {name: value for name, value in self.get_params().items() if name != "threads"}
        held = int(self.data_.get("validation", 0))
        with _thread_count(self.threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network, task = begin()
            folder = running.checkpoints
            store = CheckpointStore(Path(folder), options, digest) if folder else None
            trainer = Trainer(network, task, schedule, store, running.observer or Observer())
            if store and running.resume and store.is_kept():
                trainer.restore(*store.load())
            elif store and running.resume:
                running.notice(f"{folder}: nothing has been kept there yet; the run begins")
            if few := held > 0 and self.kind.few(held):
                running.notice(f"validation rests on {few}: its scores are rough")
            progress = trainer.run()
            self.made_with_ = environment()
        self.model_ = task.trained()
        self.history_ = progress.history
        best = progress.history[progress.best_epoch - 1]
        self.metrics_ = {"epoch": best.epoch, "epochs": progress.epochs, "loss": best.loss, **best.scores}
        if held:
            self.metrics_["validation_examples"] = held
        said = f"kept: epoch {best.epoch} of {progress.epochs}, {scores(best.scores) or f'loss {figure(best.loss)}'}"
        running.notice(f"{said} ({few})" if few else said)


def _options_among(sizes: type[RecurrentSizes], estimator: Estimator) -> list[str]:
    known = estimator.get_params()
    return [field.name for field in fields(sizes) if field.name in known]


@contextmanager
def _thread_count(threads: int | None) -> Iterator[None]:
    """Let torch and the runtime use so many threads for a while; ``None``: as many as torch uses."""
    import torch

    from elman.runtime._threads import get_num_threads, set_num_threads

    before = torch.get_num_threads(), get_num_threads()
    try:
        torch.set_num_threads(threads or before[0])
        set_num_threads(threads or before[0])
        yield
    finally:
        torch.set_num_threads(before[0])
        set_num_threads(before[1])
