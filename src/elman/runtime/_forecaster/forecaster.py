"""A trained forecaster on NumPy and the engine alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, OptionError
from elman.runtime._arrays import Array
from elman.runtime._forecaster.anchors import Waves, candidates, mixed
from elman.runtime._forecaster.columns import as_columns, each, transformed, without_ahead
from elman.runtime._forecaster.context import Context, place
from elman.runtime._forecaster.intervals import half_widths
from elman.runtime._forecaster.series import Series, Windows, as_series
from elman.runtime._forecaster.settings import INPUT_WAVES, PROFILE_WAVES, ForecasterSettings
from elman.runtime._linear import Linear
from elman.runtime._states import hidden_states
from elman.runtime._trace.trace import Trace
from elman.runtime._trained import TrainedModel
from elman.runtime._vocabulary import Vocabulary

__all__ = ["Forecast", "Forecaster"]

READING_BATCH, MOST_READ = 256, 2**22  # steps to forecast from at once, and values that they look at
GREATEST_INPUT = 10.0
GREATEST_LOGARITHM = 700.0  # whose exponential is a float64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """What is expected at the steps that follow.

    Attributes:
        times: (horizon,) written as those of the series that they follow.
        values: (horizon, targets).
        lower, upper: (horizon, targets) the bounds of the interval.
        coverage: the share of true values that the interval is to hold.
        calibration: how many held-out forecasts its width comes from.
    """

    times: list[str]
    values: Floats
    lower: Floats
    upper: Floats
    coverage: float
    calibration: int


class Forecaster(TrainedModel):
    """What ``elman train forecast`` trained, without PyTorch, and the series that it was trained on.

    Simple forecasts are mixed, by weights of each step of the horizon, and the mean of some networks corrects that::

        forecast = Σ weight_k simple_k + scale · mean_n (W_n h_n + b_n)        h_n = RNN_n(the last steps)

    A forecast is the same bits alone and among others, and for any number of threads. Immutable: threads may share one.

    Args:
        settings: what is forecast from what, how far, and the networks' sizes.
        tensors: ``series`` (steps, columns), ``observed`` of the same shape, 0 where a value is missing, and, in the
            units that are forecast, ``level`` (columns,), ``profile`` (waves, columns), ``input_scale`` (2, columns),
            ``anchor`` (targets, horizon, simple forecasts), ``output_scale`` (horizon, targets) and ``residuals``
            (residuals, horizon, targets), sorted, all of float64; of float32 ``networks.N.rnn.*`` as
            :class:`elman.runtime.RNN`, ``GRU`` or ``LSTM`` takes them, ``networks.N.output.weight`` (horizon * targets,
            hidden_size) and ``networks.N.output.bias``.
        vocabularies: none.

    Raises:
        InputError: a tensor is missing, or of another dtype or shape than the settings say.

    Example:
        >>> import elman
        >>> import numpy as np
        >>> tides = 10 + np.sin(np.arange(240) * np.pi / 6)
        >>> elman.tasks.Forecaster(horizon=3, epochs=2, networks=1).fit(tides).save("tides")
        >>> forecast = elman.load("tides").forecast()  # without PyTorch
        >>> forecast.times, forecast.values[:, 0].round(1).tolist()
        (['240', '241', '242'], [10.0, 10.5, 10.9])
    """

    format = "elman forecaster"
    example = "forecast"
    Settings = ForecasterSettings
    double_tensors = (
        "series",
        "observed",
        "level",
        "profile",
        "input_scale",
        "anchor",
        "output_scale",
        "residuals",
        "ahead",
    )

    def __init__(
        self,
        settings: ForecasterSettings,
        tensors: Mapping[str, Array],
        vocabularies: Mapping[str, Vocabulary] | None = None,
    ) -> None:
        super().__init__(settings, tensors, vocabularies)
        arrays = self._tensors
        values = np.where(arrays["observed"] > 0, arrays["series"], np.nan)
        self.series = Series(tuple(settings.names), values, settings.grid)
        for name, column in zip(settings.names, self.series.values.T, strict=True):
            if not np.isfinite(column).any():
                raise InputError(f"series: expected a known value of {name!r}, got none")
        self.level, self.profile, self.input_scale = arrays["level"], arrays["profile"], arrays["input_scale"]
        self.anchor, self.output_scale, self.residuals = arrays["anchor"], arrays["output_scale"], arrays["residuals"]
        self._waves = Waves(settings.cycles, INPUT_WAVES)
        self._profile_waves = Waves(settings.cycles, PROFILE_WAVES)
        prefixes = [f"networks.{number}." for number in range(settings.layers.networks)]
        self._networks = [
            (
                settings.layers.build(self.tensors_under(f"{prefix}rnn.")),
                Linear(arrays[f"{prefix}output.weight"], arrays[f"{prefix}output.bias"]),
            )
            for prefix in prefixes
        ]

    def forecast(
        self,
        horizon: int | None = None,
        history: Any = None,
        times: Sequence[str] | None = None,
        coverage: float | None = None,
        dates: str | None = None,
        known: Any = None,
    ) -> Forecast:
        """Say what follows a series.

        Args:
            horizon: steps; None: those of training. Further ones are forecast from the forecasts before them.
            history: (steps, columns) or (steps,) what to go on from, NaN where missing; None: the training series.
            times: of its steps; None: they follow the training series, or are it and more.
            coverage: of the interval, between 0 and 1; None: that of training.
            dates: ``"day-first"``, ``"month-first"`` or ``"year-first"``: how to read times such as 01/02/24; None: as
                those of training, or as only one of them makes steps of training's.
            known: (steps, columns known ahead) their values at the steps forecast; None: those that came with the
                series, in rows behind its last target.

        Raises:
            InputError: an argument cannot be used; the message names it.
        """
        context = self._context(history, times, dates)
        if known is not None:
            context = replace(context, ahead=as_columns(known, "known", self.settings.known))
        return self.forecast_after(context, horizon, coverage)

    def _context(self, history: Any, times: Sequence[str] | None, dates: str | None = None) -> Context:
        if history is None:
            return self.following_training
        names = self.settings.names
        values, grid = as_columns(history, "history", names), self.settings.grid
        series = as_series(names, values, times, known=grid, dates=dates)
        return self.place(series, timed=times is not None)

    @property
    def following_training(self) -> Context:
        """The training series, and what is known of the steps after it."""
        context = Context.of(self.series, len(self.series))
        return replace(context, ahead=self._tensors["ahead"]) if self.settings.known else context

    def place(self, series: Series, *, timed: bool) -> Context:
        """Find what a series has to do with that of training: goes on after it, holds it, or is another.

        Rows behind its last target say what is known ahead, where there are columns of which that is known.

        Raises:
            InputError: its steps are others, or it is too short.
        """
        if not self.settings.known:
            return place(series, self.series, self.settings.reach, timed)
        past, ahead = without_ahead(series, len(self.settings.targets), len(self.settings.known))
        if len(past):
            return replace(place(past, self.series, self.settings.reach, timed), ahead=ahead)
        trained = len(self.series)
        first = self.settings.grid.index_of(series.grid) if timed else trained
        if first is None or not 0 <= first <= trained:
            raise InputError("history: expected a known target, or rows that follow the training series, got neither")
        return replace(self.following_training, ahead=ahead[trained - first :])

    def forecast_after(self, context: Context, horizon: int | None = None, coverage: float | None = None) -> Forecast:
        """Forecast what follows the end of a series; the arguments are those of :meth:`forecast`."""
        horizon = self.settings.checked_horizon(horizon)
        end = np.array([len(context.values)])
        values = self._predict(context, end, horizon)[0]
        widths = self.widths(horizon, coverage)
        following = context.following or self.settings.grid.starting(context.first + len(context.values))
        return Forecast(
            [following.label(step) for step in range(horizon)],
            self.restored(values),
            self.restored(values - widths),
            self.restored(values + widths),
            self.settings.coverage if coverage is None else coverage,
            self.settings.calibration,
        )

    def rolling(self, context: Context, origins: NDArray[np.int64], horizon: int) -> Floats:
        """Forecast from many steps of a series, each from what was known there: (origins, horizon, targets).

        They are in the units that are forecast: :meth:`restored` makes the series' own of them.
        """
        parts = [self._predict(context, chunk, horizon) for chunk in self.batches(origins)]
        return np.concatenate([np.empty((0, horizon, len(self.settings.targets))), *parts])

    def batches(self, origins: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return some steps by as many as are forecast from at once, few where each looks far back or ahead."""
        settings = self.settings
        values = len(settings.names) * max(settings.reach, self.anchor.shape[1] * self.anchor.shape[2])
        size = max(1, min(READING_BATCH, MOST_READ // values))
        return [origins[i : i + size] for i in range(0, len(origins), size)]

    def trace(self, history: Any = None, times: Sequence[str] | None = None) -> Trace:
        """Step through a series: after each step, the networks' last states and what is expected of those to come.

        Args:
            history, times: as for :meth:`forecast`.

        Returns:
            The last 10,000 steps at most after which a forecast can be made. ``read``: (steps,) their times;
            ``readers``: the networks; ``beliefs``: (steps, horizon, targets) what :meth:`forecast` says of the series
            up to a step, to the bit; ``signal``: (steps, columns) the values; ``expected``: the intervals.

        Raises:
            InputError: an argument cannot be used; the message names it.
        """
        from elman.runtime._forecaster.tracing import traced

        return traced(self, self._context(history, times))

    def widths(self, horizon: int, coverage: float | None = None) -> Floats:
        """Return half the width of the interval at each step, (horizon, targets), in the units that are forecast.

        Raises:
            OptionError: ``coverage`` is not between 0 and 1.
        """
        coverage = self.settings.coverage if coverage is None else coverage
        if not isinstance(coverage, float) or not 0 < coverage < 1:
            raise OptionError("coverage", "a number between 0 and 1", coverage)
        return half_widths(self.residuals, horizon, coverage, rough=self.settings.rough)

    def restored(self, values: Array) -> Floats:
        """Return targets, (…, targets), in the series' own units."""
        restored = np.array(values)
        for column in np.flatnonzero(self.settings.logarithm[: restored.shape[-1]]):
            limited = np.minimum(restored[..., column], GREATEST_LOGARITHM)
            restored[..., column] = each(math.exp, limited)
        return restored

    def windows(self, context: Context) -> Windows:
        """Return the series, in the units that are forecast, for looking back."""
        return Windows(transformed(context.values, self.settings.logarithm, self.series.values))

    def prepare(
        self, windows: Array, missing: NDArray[np.bool_], steps: NDArray[np.int64], ahead: Array
    ) -> tuple[NDArray[np.float32], Floats]:
        """Return what the networks read, (context, origins, features), and the mix that they correct.

        Args:
            windows, missing: (origins, reach, columns) the values before, in the units that are forecast.
            steps: (origins,) the first step forecast, counted from the first of the training series.
            ahead: (origins, horizon, columns known ahead) what is known of the steps forecast.

        Returns:
            The inputs, and the mix of simple forecasts, (origins, horizon, targets).
        """
        settings = self.settings
        context, length = settings.context, windows.shape[1]
        past, future = steps[:, None] + np.arange(-length, 0), steps[:, None] + np.arange(settings.horizon)
        inputs = np.empty((context, len(steps), settings.features), np.float32)
        anchors = np.empty((len(steps), settings.horizon, len(settings.targets)))
        columns = len(settings.names)
        for column in range(columns):
            known = windows[:, :, columns - len(settings.known) :]
            values, before = windows[:, :, column], self._phase(past, column, known)
            if column < len(settings.targets):
                after = self._phase(future, column, ahead)
                simple = candidates(values, before, after, float(self.level[column]), settings.season, settings.seasons)
                anchors[:, :, column] = mixed(simple, self.anchor[column])
            for view, read in enumerate(self._views(values[:, -context:], before[:, -context:], column)):
                inputs[:, :, 2 * column + view] = read.T
        if settings.masked:
            inputs[:, :, 2 * columns : 3 * columns] = missing[:, -context:].swapaxes(0, 1)
        inputs[:, :, (3 if settings.masked else 2) * columns :] = self._waves.at(past[:, -context:]).swapaxes(0, 1)
        return inputs, anchors

    def correction(self, inputs: NDArray[np.float32]) -> Floats:
        """Return the mean of what the networks put out, (origins, horizon, targets), for inputs of :meth:`prepare`."""
        settings = self.settings
        total = np.zeros((inputs.shape[1], settings.horizon * len(settings.targets)))
        for rnn, output in self._networks:
            total += output(hidden_states(rnn(inputs)[1])[-1])
        total /= len(self._networks)
        return total.reshape(-1, settings.horizon, len(settings.targets))

    def final_states(self, inputs: NDArray[np.float32]) -> Array:
        """Return the networks' last states, (origins, layers, networks, hidden_size), for inputs of :meth:`prepare`."""
        finals = np.stack([hidden_states(rnn(inputs)[1]) for rnn, _ in self._networks])
        ordered: Array = finals.transpose(2, 1, 0, 3)
        return ordered

    def _views(self, values: Array, phase: Array, column: int) -> tuple[Array, Array]:
        """Return a column as the networks read it: beside its last value, and without its season."""
        deseasonalized = values - phase
        level = self.level[column] if self.settings.returning[column] else deseasonalized[:, -1:]
        relative = (values - values[:, -1:]) / self.input_scale[0, column]
        without_season = (deseasonalized - level) / self.input_scale[1, column]
        return _limited(relative), _limited(without_season)

    def _phase(self, steps: NDArray[np.int64], column: int, known: Array) -> Floats:
        """Return what the calendar and the columns known ahead add to a column at some steps."""
        first, last = int(steps.min()), int(steps.max())
        phase = np.zeros(last + 1 - first)
        for begin in range(0, len(phase), READING_BATCH):  # windows overlap: each step once, and few at a time
            part = phase[begin : begin + READING_BATCH]
            waves = self._profile_waves.at(np.arange(first + begin, first + begin + len(part)))
            for wave in range(len(self._profile_waves)):
                part += waves[:, wave] * self.profile[wave, column]
        total: Floats = phase[steps - first]
        for number in range(len(self.settings.known)):
            total += known[..., number] * self.profile[len(self._profile_waves) + number, column]
        return total

    def _predict(self, context: Context, origins: NDArray[np.int64], horizon: int) -> Floats:
        settings, looking_back = self.settings, self.windows(context)
        windows = looking_back.before(origins, settings.reach)
        missing = looking_back.missing_before(origins, settings.reach)
        known = self.known_ahead(context, looking_back, origins, horizon)
        steps, parts, done = origins + context.first, [], 0
        while done < horizon:
            following = known[:, done : done + settings.horizon]
            inputs, anchors = self.prepare(windows, missing, steps + done, following)
            ahead = min(settings.block, horizon - done)
            parts.append((anchors + self.correction(inputs) * self.output_scale)[:, :ahead])
            done += ahead
            windows, missing = self._moved_on(windows, missing, parts[-1], following)
        return np.concatenate(parts, axis=1)

    def known_ahead(self, context: Context, looking_back: Windows, origins: NDArray[np.int64], horizon: int) -> Floats:
        """Return the columns known ahead, (origins, horizon + that of training, columns), from some steps on.

        Raises:
            InputError: their values are missing at a step of the horizon.
        """
        names = self.settings.known
        columns = slice(len(self.settings.names) - len(names), None)
        past, ahead = looking_back.filled[:, columns], context.ahead
        ahead = np.empty((0, len(names))) if ahead is None else ahead
        wanted = max(0, int(origins.max(initial=0)) + horizon - len(past))
        missing = np.flatnonzero(~np.isfinite(ahead[:wanted]).all(axis=1))
        count = int(missing[0]) if len(missing) else min(wanted, len(ahead))
        if names and count < wanted:
            raise InputError(
                f"known: expected values of {', '.join(map(repr, names))} for the {wanted} steps to forecast, in rows "
                f"behind the last target, got {count}"
            )
        table = np.concatenate([past, ahead])
        places = origins[:, None] + np.arange(horizon + self.settings.horizon)
        known: Floats = table[np.minimum(places, len(table) - 1)]  # what lies beyond is not used
        return known

    def _moved_on(
        self, windows: Array, missing: NDArray[np.bool_], forecasts: Array, known: Array
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Let windows end with what was forecast; a covariate not known ahead goes on as it did a season before."""
        length, ahead = windows.shape[1], forecasts.shape[1]
        places = length - self.settings.season + np.arange(ahead) % self.settings.season
        following = windows[:, places]
        following[:, :, : forecasts.shape[2]] = forecasts
        following[:, :, following.shape[2] - known.shape[2] :] = known[:, :ahead]
        none = np.zeros(following.shape, np.bool_)
        return (
            np.concatenate([windows, following], axis=1)[:, -length:],
            np.concatenate([missing, none], axis=1)[:, -length:],
        )

    def __repr__(self) -> str:
        settings = self.settings
        return f"Forecaster({', '.join(settings.targets)}: {settings.horizon} steps of {settings.grid.describe()})"


def _limited(values: Array) -> Array:
    limited: Array = np.clip(values, -GREATEST_INPUT, GREATEST_INPUT)
    return limited
