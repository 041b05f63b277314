"""A picture of a forecast: what came before, what is expected, and the interval."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from elman._pictures import ACCENT, INK, MUTED, blank, tidy, write_picture
from elman.runtime import Forecaster
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecast

__all__ = ["plot"]

LEAST_HISTORY, HORIZONS_OF_HISTORY = 60, 3
WIDE_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "SimHei")
WIDTH, HEIGHT = 9.0, 3.4  # inches of a panel


def plot(path: Path, model: Forecaster, context: Context, forecast: Forecast) -> None:
    """Draw a panel for each target and write the picture, as the suffix of its name says."""
    targets, families = model.settings.targets, _families()
    figure = blank(WIDTH, HEIGHT * len(targets))
    panels = figure.subplots(len(targets), 1, sharex=True, squeeze=False)[:, 0]
    for column, (panel, target) in enumerate(zip(panels, targets, strict=True)):
        _draw(panel, model, context, forecast, column)
        panel.set_title(target, loc="left", fontsize=11, color=INK, family=families)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False, fontsize=9)
    panels[-1].set_xlabel(model.settings.columns.get("time") or "step", fontsize=9, color=MUTED, family=families)
    write_picture(path, figure)


def _families() -> list[str]:
    """Return the fonts to take a name's characters from, those of Chinese, Japanese and Korean if there are any."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [*(name for name in WIDE_FONTS if name in installed), "DejaVu Sans"]


def _draw(panel: Any, model: Forecaster, context: Context, forecast: Forecast, column: int) -> None:
    grid, steps = model.settings.grid, len(context.values)
    shown = min(steps, max(LEAST_HISTORY, HORIZONS_OF_HISTORY * len(forecast.times), 2 * model.settings.season))
    history = context.values[steps - shown :, column]
    before = _axis(grid, context.first + steps - shown, shown)
    after = _axis(grid, context.first + steps, len(forecast.times))
    lower, upper, values = (array[:, column] for array in (forecast.lower, forecast.upper, forecast.values))
    few = model.few(forecast.calibration)
    interval = f"{forecast.coverage:.0%} interval" + (f", from {few}" if few else "")
    panel.fill_between(after, lower, upper, color=ACCENT, alpha=0.18, linewidth=0, label=interval)
    panel.plot(before, history, color=INK, linewidth=1.2, label="history")
    panel.plot(after, values, color=ACCENT, linewidth=1.6, label="forecast", marker="." if len(values) == 1 else None)
    if np.isfinite(history[-1]):  # a thin line from the last value to the first forecast
        joint = [before[-1], after[0]], [history[-1], values[0]]
        panel.plot(*joint, color=ACCENT, linewidth=0.8, alpha=0.6)
    tidy(panel)
    panel.margins(x=0.01)


def _axis(grid: TimeGrid, first: int, count: int) -> Any:
    """Return the places of steps on the axis of times."""
    if grid.unit == "step":
        return (grid.first + float(grid.step) * np.arange(first, first + count)) / grid.parts
    dated = replace(grid, form="%Y-%m-%d %H:%M:%S%.6f", zone=[])
    return np.array([dated.label(step) for step in range(first, first + count)], dtype="datetime64[us]")
