"""A picture of a training run: loss and score, epoch by epoch, and which epoch was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman._figures import worded
from elman._pictures import ACCENT, INK, MUTED, blank, tidy, write_picture

if TYPE_CHECKING:
    from elman.runtime._model_folder import EpochRecord
    from elman.tasks._estimator import Estimator

__all__ = ["plot"]

WIDTH, HEIGHT = 4.5, 3.4  # inches of a panel
FEW = 40  # epochs, whose points show
LOSS, SHARES = "validation_loss", ("validation_accuracy", "validation_f1")


def plot(path: Path, estimator: Estimator) -> None:
    """Draw the losses and the first score that is no loss, side by side, and write the picture."""
    history, kept = estimator.history_, estimator.metrics_["epoch"]
    names = [*history[0].scores]
    score = next((name for name in names if name != LOSS), "")
    validation = "validation"
    if few := estimator.kind.few(estimator.metrics_.get("validation_examples", 0)):
        validation += f", {few}"
    losses = {"training": [record.loss for record in history]}
    if LOSS in names:
        losses[validation] = _measured(history, LOSS)
    figure = blank(WIDTH * (2 if score else 1), HEIGHT)
    panels = figure.subplots(1, 2 if score else 1, squeeze=False)[0]
    _draw(panels[0], "loss", losses, kept)
    if score:
        _draw(panels[1], worded(score), {validation: _measured(history, score)}, kept)
        if score in SHARES:
            panels[1].set_ylim(top=min(1.01, panels[1].get_ylim()[1]))
    handles = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    write_picture(path, figure)


def _measured(history: Sequence[EpochRecord], name: str) -> list[float]:
    return [record.scores[name] for record in history]


def _draw(panel: Any, title: str, lines: Mapping[str, Sequence[float]], kept: int) -> None:
    from matplotlib.ticker import MaxNLocator

    for label, values in lines.items():
        epochs, colour = range(1, len(values) + 1), INK if label == "training" else ACCENT
        panel.plot(epochs, values, color=colour, linewidth=1.4, marker="." if len(epochs) <= FEW else "", label=label)
    panel.axvline(kept, color=MUTED, linewidth=0.8, linestyle=":", label=f"epoch {kept}, which was kept")
    panel.set_xlim(0.5, len(epochs) + 0.5)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.set_title(title, loc="left", fontsize=11, color=INK)
    panel.set_xlabel("epoch", fontsize=9, color=MUTED)
    tidy(panel)
