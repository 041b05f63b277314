"""The options of a forecaster."""

from dataclasses import dataclass
from typing import Annotated, Literal

from elman._limits import Count, Size
from elman._schema import Range
from elman.tasks._options import FRACTION, NETWORK, SHARE, Group, Help, TrainingOptions

__all__ = ["ForecasterOptions"]

FORECASTING = Group("Forecasting")
HORIZON = "the shortest cycle, such as a day of hours, and at most a tenth of the series"
SEASON = "found from the calendar of the times, or from autocorrelation"


@dataclass(kw_only=True, repr=False, eq=False)
class ForecasterOptions(TrainingOptions):
    """Those of a forecaster."""

    horizon: Annotated[int | None, Range(1, 2**20), FORECASTING, Help("steps ahead", HORIZON)] = None
    season: Annotated[Size | None, FORECASTING, Help("in steps; 1: none", SEASON)] = None
    context: Annotated[
        int | None,
        Range(2, 2**31 - 1),
        FORECASTING,
        Help("steps that the networks read", "two seasons, 16 to 104"),
    ] = None
    strategy: Annotated[
        Literal["direct", "recursive"] | None,
        FORECASTING,
        Help("all steps at once, or one at a time", "whichever does better"),
    ] = None
    coverage: Annotated[float, SHARE, FORECASTING, Help("share of true values that the intervals are to hold")] = 0.9
    networks: Annotated[Count, NETWORK, Help("how many are trained side by side; forecasts are their mean")] = 3
    hidden_size: Annotated[int, Help("units of each recurrent layer")] = 32
    dropout: float = 0.2
    learning_rate: float = 2e-3
    epochs: Annotated[
        Size | None, Help("times the series is read, at most", "5 to 100, the fewer the longer it is")
    ] = None
    batch_size: Annotated[
        Size | None, Help("steps to forecast from of each step of training", "16 to 64, by their number")
    ] = None
    validation: Annotated[float, FRACTION, Help("share of the series held out at its end, above 0")] = 0.2
