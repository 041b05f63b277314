"""Stepping through a series: what was expected after each step, and the networks' states there."""

from __future__ import annotations

import numpy as np

from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecaster
from elman.runtime._trace.trace import Expected, Trace, most_steps

__all__ = ["traced"]


def traced(model: Forecaster, context: Context) -> Trace:
    """Step through a series that has been placed, as :meth:`Forecaster.trace` says."""
    settings, values = model.settings, context.values
    layers = settings.layers
    most = most_steps(
        3 * settings.horizon * len(settings.targets), layers.networks * layers.layers * layers.hidden_size
    )
    origins = np.arange(settings.reach, len(values) + 1)[-most:]
    looking_back, states = model.windows(context), []
    for chunk in model.batches(origins):
        windows = looking_back.before(chunk, settings.reach)
        missing = looking_back.missing_before(chunk, settings.reach)
        ahead = model.known_ahead(context, looking_back, chunk, 0)
        states.append(model.final_states(model.prepare(windows, missing, chunk + context.first, ahead)[0]))
    forecasts, widths = model.rolling(context, origins, settings.horizon), model.widths(settings.horizon)
    # as the series writes its own times, which the grid of the steps after it counts backwards to
    grid, first = (context.following, -len(values)) if context.following else (settings.grid, context.first)
    times = [grid.label(first + int(step) - 1) for step in range(origins[0], len(values) + settings.horizon + 1)]
    return Trace(
        kind=model.format.removeprefix("elman "),
        read=times[: len(origins)],
        states=np.concatenate(states),
        readers=[f"network {number}" for number in range(1, layers.networks + 1)],
        outcomes=list(settings.targets),
        beliefs=model.restored(forecasts),
        signal=np.array(values[origins - 1]),
        channels=settings.names,
        expected=Expected(
            model.restored(forecasts - widths),
            model.restored(forecasts + widths),
            times,
            int(np.clip(context.begin + 1 - origins[0], 0, len(origins))),
        ),
    )
