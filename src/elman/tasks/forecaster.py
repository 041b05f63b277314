"""A forecaster with scikit-learn's manners."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, OptionError
from elman._figures import counted, figure
from elman.runtime._forecaster.columns import as_columns
from elman.runtime._forecaster.forecaster import Forecast
from elman.runtime._forecaster.forecaster import Forecaster as Trained
from elman.runtime._forecaster.rolling import rolling_report
from elman.runtime._forecaster.series import Series, Windows, as_series
from elman.runtime._forecaster.settings import ForecasterSettings, ForecasterSizes
from elman.tasks._base import check_is_fitted
from elman.tasks._estimator import Estimator, Running
from elman.tasks._forecaster.options import ForecasterOptions
from elman.tasks._forecaster.preparing import as_training, check_known, default_horizon, digest_of, first_held
from elman.tasks._run import Observer, Schedule

if TYPE_CHECKING:
    from elman.tasks._forecaster.anchoring import Anchor
    from elman.tasks._forecaster.training import ForecastingTask, ForecastNetwork

__all__ = ["Forecaster"]

LEAST_EXAMPLES = 8  # of steps to forecast from, in training
STEPS = 800  # of training, by default: epochs are as many as that takes
LEAST_CONTEXT, LONGEST_CONTEXT = 4, 104
Floats = NDArray[np.float64]


class Forecaster(ForecasterOptions, Estimator):
    """Forecast series of numbers: a mix of simple forecasts, corrected by recurrent networks.

    The simple forecasts are the last value, trend, mean, season, and their like; their mix, logarithms and the season
    are chosen from the data, in closed form. The networks read the last steps, beside the calendar, and put out what
    the mix misses. All choices are made by forecasts of a held-out end of the series; then mix and networks are fitted
    anew to the whole.

    Attributes:
        model_: the :class:`elman.runtime.Forecaster` that predicts, without PyTorch.
        horizon_, season_: as given, or as found.
        metrics_: figures of the held-out part.
        history_: of each epoch its ``epoch``, ``loss``, ``scores`` by name, and ``seconds``.
        data_: what it saw, and what was chosen.
        made_with_: versions, kind of machine, instruction sets and threads.

    Example:
        >>> import numpy as np
        >>> from elman.tasks import Forecaster
        >>> series = 10 + np.sin(np.arange(240) * np.pi / 6)
        >>> forecaster = Forecaster(horizon=3, epochs=2, networks=1).fit(series)
        >>> forecaster.predict().round(1).tolist()
        [10.0, 10.5, 10.9]
    """

    kind = Trained

    def fit(
        self,
        series: Any,
        times: Sequence[Any] | None = None,
        covariates: Any = None,
        *,
        known: Any = None,
        names: Sequence[str] | None = None,
        dates: str | None = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        verbose: bool | int = False,
        observer: Observer | None = None,
    ) -> "Forecaster":
        """Train on a series.

        Args:
            series: (steps,) or (steps, targets) numbers, NaN where missing; or a :class:`Series` of a file.
            times: (steps,) strings, or what prints as such: dates, months, years and so on; None: the steps are one
                apart.
            covariates: (steps,) or (steps, covariates) numbers that are read and not forecast; with a
                :class:`Series`, how many of its last columns they are.
            known: (steps or more, columns) numbers that are known ahead, such as holidays; those beyond the series
                are kept for its forecast. With a :class:`Series`, how many of its last columns, behind the covariates,
                they are; its rows behind the last target hold those ahead.
            names: of the targets, the covariates and what is known ahead, for messages and files.
            dates: ``"day-first"``, ``"month-first"`` or ``"year-first"``: how to read times such as 01/02/24; None: as
                only one of them makes dates, or steps of one length, of all.
            checkpoints: the folder in which to keep checkpoints; None keeps none.
            resume: go on from the checkpoint there, to the bits of an uninterrupted run; begin if there is none.
            verbose: False: silent; True: what ``elman train`` shows, a bar on a terminal, and lines for epochs that did
                better; 2: a line for every epoch.
            observer: told of each step and epoch, in the place of ``verbose``.

        Returns:
            The forecaster itself.

        Raises:
            InputError: a ValueError that says in one line which value, time, option or file cannot be used.
        """
        running = Running(checkpoints, resume, verbose, observer)
        return self._fit_anew(*as_training(series, times, covariates, known, names, dates), running=running)

    def predict(self, horizon: int | None = None) -> Floats:
        """Return what follows the training series, (horizon,) or (horizon, targets)."""
        return self._shaped(self.forecast(horizon).values)

    def predict_interval(self, horizon: int | None = None, coverage: float | None = None) -> tuple[Floats, Floats]:
        """Return the lower and the upper bounds of the interval, each as :meth:`predict` returns values."""
        forecast = self.forecast(horizon, coverage=coverage)
        return self._shaped(forecast.lower), self._shaped(forecast.upper)

    def forecast(
        self,
        horizon: int | None = None,
        history: Any = None,
        times: Sequence[str] | None = None,
        coverage: float | None = None,
        dates: str | None = None,
        known: Any = None,
    ) -> Forecast:
        """Return times, values and intervals; the arguments are those of :meth:`elman.runtime.Forecaster.forecast`."""
        check_is_fitted(self, "model_")
        forecast: Forecast = self.model_.forecast(horizon, history, times, coverage, dates, known)
        return forecast

    def evaluate(
        self,
        series: Any,
        times: Sequence[str] | None = None,
        horizon: int | None = None,
        dates: str | None = None,
    ) -> dict[str, Any]:
        """Measure forecasts from every step of a series beyond the training series, as ``elman evaluate`` does.

        Args:
            series: (steps,) or (steps, columns): what follows the training series, or holds it, or another.
            times: of its steps; None: it follows the training series, or holds it.
            horizon: steps ahead; None: those of training.
            dates: as for :meth:`fit`.

        Returns:
            ``mae``, ``naive_mae``, ``seasonal_naive_mae``, ``interval_coverage``, ``examples``, and the targets' own.
        """
        check_is_fitted(self, "model_")
        names = self.model_.settings.names
        grid = self.model_.settings.grid
        values = as_series(names, as_columns(series, "series", names), times, known=grid, dates=dates)
        return rolling_report(self.model_, self.model_.place(values, timed=times is not None), horizon)

    def score(self, series: Any, times: Sequence[str] | None = None) -> float:
        """Return the negative mean absolute error over rolling origins, as :meth:`evaluate` measures it."""
        return -float(self.evaluate(series, times)["mae"])

    def _fit(self, series: Series, targets: int, ahead: Floats, *, running: Running) -> None:
        if not self.validation:
            raise OptionError("validation", "a share above 0: widths and choices come from it", self.validation)
        settings, tensors, held = self._prepared(series, targets, ahead, running)
        schedule = Schedule(self.learning_rate, self.epochs_, patience=max(10, self.epochs_ // 3))
        self._train(self._beginning(settings, tensors, held), schedule, digest_of(series, targets, ahead), running)
        from elman.tasks._forecaster.calibrating import calibrated, choose
        from elman.tasks._forecaster.training import RATIO

        tried, choice = self.model_, choose(self.model_, held, self.strategy)
        self._fit_whole(series, ahead, settings, corrected=choice.share > 0, schedule=schedule, running=running)
        self.model_, figures = calibrated(choice.applied(self.model_), choice.applied(tried), held)
        self.metrics_ |= {f"validation_{name}": value for name, value in figures.items()}
        del self.metrics_[RATIO]
        self._tell_result(running)

    def _beginning(
        self, settings: ForecasterSettings, tensors: dict[str, Floats], held: int
    ) -> "Callable[[], tuple[ForecastNetwork, ForecastingTask]]":
        def begin() -> "tuple[ForecastNetwork, ForecastingTask]":
            from elman.tasks._forecaster.training import ForecastingTask, ForecastNetwork

            network = ForecastNetwork(settings, self.dropout, self.engine)
            return network, ForecastingTask(self, network, settings, tensors, held)

        return begin

    def _fit_whole(
        self,
        series: Series,
        ahead: Floats,
        settings: ForecasterSettings,
        *,
        corrected: bool,
        schedule: Schedule,
        running: Running,
    ) -> None:
        """Fit anew what has been chosen, to the whole series: the mix, and, if they correct it, the networks."""
        from elman.tasks._checkpoints import CHECKPOINT_FOLDER
        from elman.tasks._forecaster.anchoring import tensors_of

        anchors = self._anchors(series.values, settings, [{logarithm} for logarithm in settings.logarithm])
        settings = replace(settings, returning=[anchor.returning for anchor in anchors])
        tensors, steps = tensors_of(settings, series, ahead, anchors, len(series)), len(series)
        if not corrected:
            self.model_ = Trained(settings, self.model_.tensors() | tensors)
            return
        metrics, history = self.metrics_, self.history_
        epochs = counted(metrics["epoch"], "epoch")
        running.notice(f"mix and networks are fitted anew to the whole series, for {epochs}")
        if running.checkpoints:
            folder = Path(running.checkpoints) / CHECKPOINT_FOLDER
            running = replace(running, checkpoints=folder, resume=(folder / CHECKPOINT_FOLDER).is_dir())
        digest = digest_of(series, len(settings.targets), ahead)
        schedule = replace(schedule, last=metrics["epoch"])
        self._train(self._beginning(settings, tensors, steps), schedule, digest, running)
        self.metrics_, self.history_ = metrics, history

    def _anchors(
        self, values: Floats, settings: ForecasterSettings, logarithms: Sequence[Collection[bool]]
    ) -> "list[Anchor]":
        from elman.tasks._forecaster.anchoring import choose_anchor

        cycles, season, seasons = settings.cycles, settings.season, settings.seasons
        columns = values[:, values.shape[1] - len(settings.known) :]
        known = Windows(columns).filled if settings.known else columns
        return [
            choose_anchor(
                column,
                cycles,
                season,
                settings.horizon,
                settings.reach,
                possible,
                seasons,
                known if number < len(settings.targets) else np.zeros_like(known),
            )
            for number, (column, possible) in enumerate(zip(values.T, logarithms, strict=True))
        ]

    def _restore(self) -> None:
        settings = self.model_.settings
        self._take_sizes(settings.layers)
        self.horizon_, self.season_ = settings.horizon, settings.season

    def _shaped(self, values: Floats) -> Floats:
        return values[:, 0] if values.shape[1] == 1 else values

    def _prepared(
        self, series: Series, targets: int, ahead: Floats, running: Running
    ) -> tuple[ForecasterSettings, dict[str, Floats], int]:
        from elman.tasks._forecaster.anchoring import choose_season, cycles_of, seasons_of, tensors_of

        steps = len(series)
        self.season_, self.horizon_ = self.season or 1, self.horizon or default_horizon(series.grid, steps)
        held = first_held(steps, self.horizon_, self.validation)
        self._check_length(steps, held, LEAST_CONTEXT)
        trained = series.values[:held]
        check_known(series, targets, held)
        if self.season is None:
            self.season_ = choose_season(trained[:, :targets], series.grid, min(self.horizon_, max(1, held // 10)))
        cycles = cycles_of(series.grid, self.season_, held)
        if self.horizon is None and cycles:
            self.horizon_ = min(self.horizon_, round(cycles[0]))
            held = first_held(steps, self.horizon_, self.validation)
            trained = series.values[:held]
        context = self.context or min(max(16, 2 * self.season_), LONGEST_CONTEXT, max(LEAST_CONTEXT, held // 4))
        self._check_length(steps, held, max(context, self.season_ + 1))
        settings = self._settings(series, targets, context, cycles, *seasons_of(series.grid, self.season_, held))
        settings = replace(settings, known=list(series.names[len(series.names) - ahead.shape[1] :]), ahead=len(ahead))
        examples = self._check_length(steps, held, settings.reach)
        positive = [number < targets and bool(np.nanmin(column) > 0) for number, column in enumerate(series.values.T)]
        anchors = self._anchors(trained, settings, [{False, possible} for possible in positive])
        settings = replace(
            settings,
            logarithm=[anchor.logarithm for anchor in anchors],
            returning=[anchor.returning for anchor in anchors],
        )
        self.batch_size_ = self.batch_size or (16 if examples < 300 else 32 if examples < 4000 else 64)
        self.epochs_ = self.epochs or min(100, max(5, STEPS // math.ceil(examples / self.batch_size_)))
        self._note(series, settings, anchors, held, running)
        return settings, tensors_of(settings, series, ahead, anchors, held), held

    def _check_length(self, steps: int, held: int, reach: int) -> int:
        """Return how many steps there are to forecast from in training."""
        examples: int = held - self.horizon_ - reach + 1
        if examples < LEAST_EXAMPLES:
            needed = f"a horizon of {self.horizon_}, a season of {self.season_} and {reach} steps before"
            raise InputError(
                f"series: expected {steps + LEAST_EXAMPLES - examples} steps or more, for {needed}, got {steps}"
            )
        return examples

    def _settings(
        self, series: Series, targets: int, context: int, cycles: list[float], seasons: list[int], lookback: int
    ) -> ForecasterSettings:
        return ForecasterSettings(
            targets=list(series.names[:targets]),
            covariates=list(series.names[targets:]),
            horizon=self.horizon_,
            block=self.horizon_,
            context=context,
            season=self.season_,
            cycles=cycles,
            logarithm=[False] * len(series.names),
            returning=[False] * len(series.names),
            masked=bool(np.isnan(series.values).any()),
            coverage=float(self.coverage),
            calibration=0,
            steps=len(series),
            seasons=seasons,
            lookback=lookback,
            grid=series.grid,
            layers=self._sizes(ForecasterSizes),
        )

    def _note(
        self, series: Series, settings: ForecasterSettings, anchors: "list[Anchor]", held: int, running: Running
    ) -> None:
        missing = int(np.isnan(series.values).sum())
        self.data_: dict[str, Any] = {
            "steps": len(series),
            "missing": missing,
            "from": series.grid.label(0),
            "to": series.grid.label(len(series) - 1),
            "held_out": len(series) - held,
        }
        for notice in series.notices:
            running.notice(notice)
        grid, season = settings.grid, settings.season
        running.notice(
            f"{len(series):,} steps of {grid.describe()}, {grid.label(0)} to {grid.label(len(series) - 1)}; the last "
            f"{len(series) - held:,} are held out" + (f"; {missing:,} missing values" if missing else "")
        )
        chosen = {"season": self.season, "horizon": self.horizon}
        found = " and ".join(name for name, value in chosen.items() if value is None)
        season_words = "no season" if season == 1 else f"a season of {season} steps"
        running.notice(
            f"horizon {settings.horizon}, {season_words}" + (f" ({found} chosen from the data)" if found else "")
        )
        for name, anchor in zip(settings.targets, anchors, strict=False):
            logarithm = ", in logarithms" if anchor.logarithm else ""
            running.notice(f"{name}: the networks correct the {anchor.name}{logarithm}")

    def _tell_result(self, running: Running) -> None:
        settings, metrics = self.model_.settings, self.metrics_
        strategy = "direct" if settings.block == settings.horizon else "recursive"
        self.data_["strategy"] = strategy
        mae, naive, seasonal = (metrics[f"validation_{name}"] for name in ("mae", "naive_mae", "seasonal_naive_mae"))
        few = self.model_.few(settings.calibration)
        running.notice(
            f"held-out part ({strategy}): MAE {figure(mae)}, naive {figure(naive)}, seasonal naive {figure(seasonal)}"
        )
        held = f"intervals of {settings.coverage:.0%} held {metrics['validation_interval_coverage']:.1%} of it"
        running.notice(held + (f", and rest on {few}: widened" if few else ""))
        better = [name for name, error in (("naive", naive), ("seasonal naive", seasonal)) if error <= mae]
        if better:
            running.notice(f"the model does not beat the {' and the '.join(better)} forecast on the held-out part")
        if settings.doubt:
            running.notice(settings.doubt)
        if not self.model_.output_scale.any():
            running.notice("the networks add nothing to the simple forecasts on the held-out part and are not used")
