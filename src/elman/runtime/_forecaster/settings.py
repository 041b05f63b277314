"""What a forecast needs beside its tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from elman import _limits
from elman._checks import is_integer
from elman._errors import InputError, OptionError
from elman._schema import UNSAID, Range
from elman.runtime._forecaster.anchors import Waves, names_of
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._linear import linear_shapes
from elman.runtime._recurrent_sizes import RecurrentSizes

__all__ = ["ForecasterSettings", "ForecasterSizes"]

Count = Annotated[int, Range(1, 2**24)]
INPUT_WAVES, PROFILE_WAVES = 3, 12  # of each cycle
GREATEST_RATIO = 1e9  # of two errors
MOST_LAYERS = 1000  # of all networks
LONGEST = 10**5  # steps of a forecast
MOST_SEASONS = 16  # and cycles: day, week, year and one of one's own are four
Ratio = Annotated[float, Range(0, GREATEST_RATIO)]


@dataclass(frozen=True, kw_only=True)
class ForecasterSizes(RecurrentSizes):
    """The sizes of each of the ``networks`` whose mean is taken."""

    bidirectional: Literal[False] = field(default=False, metadata=UNSAID)
    networks: _limits.Count


@dataclass(frozen=True)
class ForecasterSettings:
    """What is forecast from what, how far, and the networks' sizes.

    Attributes:
        targets: the columns forecast.
        covariates: further columns that are read.
        horizon: steps that the networks put out.
        block: steps of them that are used before the networks read on; 1: recursive, ``horizon``: direct.
        context: steps that the networks read.
        season: in steps; 1: none.
        cycles: of the calendar and the season, in steps.
        logarithm: for each column, whether its logarithm is forecast.
        returning: for each column, whether it keeps returning to a level, which the networks are then told of.
        masked: whether the networks are told which values are missing.
        coverage: of the intervals, unless another is asked for.
        calibration: how many residuals each width comes from.
        steps: of the training series, which the model keeps.
        grid: its times.
        layers: the networks' sizes.
        columns: what the column of the times was called.
        seasons: those whose own simple forecasts are mixed, the shortest first; none in models of earlier versions.
        lookback: steps that simple forecasts look back at, at least.
        known: the last covariates, whose values are known ahead and have an effect of their own on the targets.
        ahead: steps after the training series for which the model keeps these values.
        recent: for each target, the error over the better naive forecast's on the most recent part of the series.
        possible: for each target, the greatest such ratio that the held-out part leaves possible.
        rough: whether intervals rest on so few forecasts that they are widened; never in models of earlier versions.
    """

    targets: list[str]
    covariates: list[str]
    horizon: Count
    block: Count
    context: Count
    season: Count
    cycles: list[Annotated[float, Range(2, 2**24)]]
    logarithm: list[bool]
    returning: list[bool]
    masked: bool
    coverage: Annotated[float, Range(0, 1)]
    calibration: Annotated[int, Range(0, 2**24)]
    steps: Count
    grid: TimeGrid
    layers: ForecasterSizes
    columns: dict[str, Any] = field(default_factory=dict)
    seasons: list[Count] = field(default_factory=list, metadata=UNSAID)
    lookback: Annotated[int, Range(0, 2**24)] = field(default=0, metadata=UNSAID)
    known: list[str] = field(default_factory=list, metadata=UNSAID)
    ahead: Annotated[int, Range(0, 2**24)] = field(default=0, metadata=UNSAID)
    recent: list[Ratio] = field(default_factory=list, metadata=UNSAID)
    possible: list[Ratio] = field(default_factory=list, metadata=UNSAID)
    rough: bool = field(default=False, metadata=UNSAID)

    @property
    def names(self) -> list[str]:
        """All columns, the targets first."""
        return [*self.targets, *self.covariates]

    @property
    def reach(self) -> int:
        """How many steps a forecast looks back."""
        return max(self.context, self.season + 1, self.lookback)

    def checked_horizon(self, horizon: Any) -> int:
        """Return a number of steps ahead, None being that of training.

        Raises:
            OptionError: it is no integer, or out of range.
        """
        if horizon is None:
            return self.horizon
        if not is_integer(horizon, 1) or horizon > LONGEST:
            raise OptionError("horizon", f"an integer from 1 to {LONGEST}", horizon)
        return int(horizon)

    @property
    def doubt(self) -> str | None:
        """What to know before a forecast is used: on which targets a naive one did better, or may do as well."""
        if behind := self._above(self.recent):
            return f"the error was above the better naive forecast's on the most recent part: {behind} of it"
        if unsure := self._above(self.possible):
            return f"the error may be above the better naive forecast's, by the held-out part up to: {unsure} of it"
        return None

    def _above(self, ratios: Sequence[float]) -> str:
        """Return the names of the targets whose ratio is above 1, each with it; nothing if there are none."""
        return ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(self.targets, ratios, strict=False) if ratio > 1)

    @property
    def features(self) -> int:
        """Inputs of the networks at each step."""
        columns = len(self.names)
        return (3 if self.masked else 2) * columns + len(Waves(self.cycles, INPUT_WAVES))

    def check(self, name: str) -> None:
        self.grid.check(name)
        if max(len(self.seasons), len(self.cycles)) > MOST_SEASONS:
            raise InputError(f"{name}: expected up to {MOST_SEASONS} seasons and cycles, got more")
        if self.layers.networks * self.layers.layers > MOST_LAYERS:
            raise InputError(f"{name}: expected up to {MOST_LAYERS} layers of all networks, got more")
        if not 0 < self.coverage < 1:
            raise InputError(f"{name}: expected coverage between 0 and 1, got {self.coverage}")
        columns = len(self.names)
        if not self.targets or len(set(self.names)) != columns:
            raise InputError(f"{name}: expected a target or more, and columns that differ, got {columns} columns")
        if (len(self.logarithm), len(self.returning)) != (columns, columns):
            raise InputError(f"{name}: expected logarithm and returning for each of {columns} columns, got others")
        if self.known != self.covariates[len(self.covariates) - len(self.known) :]:
            raise InputError(f"{name}: expected columns known ahead to be the last covariates, got others")
        figures = {len(self.recent), len(self.possible)} - {0, len(self.targets)}
        if any(season >= self.reach for season in self.seasons) or figures:
            raise InputError(f"{name}: expected seasons within what is looked back at, and a figure a target")
        if not self.calibration:
            raise InputError(f"{name}: expected residuals for the intervals, got none")
        if self.block > self.horizon or self.reach > self.steps or self.context < 2:
            raise InputError(f"{name}: expected a block within the horizon and a series longer than the context")

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        layers, columns, targets = self.layers, len(self.names), len(self.targets)
        shapes: dict[str, tuple[int, ...]] = {
            "series": (self.steps, columns),
            "observed": (self.steps, columns),
            "level": (columns,),
            "profile": (len(Waves(self.cycles, PROFILE_WAVES)) + len(self.known), columns),
            "input_scale": (2, columns),
            "anchor": (targets, self.horizon, len(names_of(self.seasons))),
            "output_scale": (self.horizon, targets),
            "residuals": (self.calibration, self.horizon, targets),
        }
        if self.known:
            shapes["ahead"] = (self.ahead, len(self.known))
        for number in range(layers.networks):
            shapes |= layers.shapes(self.features, f"networks.{number}.rnn.")
            shapes |= linear_shapes(f"networks.{number}.output", layers.features, self.horizon * targets)
        return shapes
