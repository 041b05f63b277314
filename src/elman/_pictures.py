"""What all pictures share: colours, panels without clutter, and how they are written."""

import io
import warnings
from pathlib import Path
from typing import Any

from elman._files import write_files

__all__ = ["ACCENT", "INK", "MUTED", "blank", "tidy", "write_picture"]

INK, MUTED, ACCENT = "#1a1a1a", "#6b6b6b", "#c2410c"
DOTS = 110  # of an inch


def blank(width: float, height: float) -> Any:
    """Return a figure without panels, so many inches wide and high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=DOTS)
    FigureCanvasAgg(figure)
    return figure


def tidy(panel: Any, size: int = 9) -> None:
    """Leave of a panel's frame what helps reading; its numbers are so many points high."""
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=size, colors=MUTED)


def write_picture(path: Path, figure: Any) -> None:
    """Write a figure as the suffix of the file's name says."""
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name whose script the font lacks
        figure.savefig(picture, format=path.suffix[1:].lower())
    write_files(path.parent, {path.name: picture.getvalue()})
