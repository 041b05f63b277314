"""Files that a command will write: what cannot be written is refused before the work begins."""

import sys
from collections.abc import Iterable
from pathlib import Path

from elman._extras import Extra

__all__ = ["may_plot", "require_places"]

PLOT = Extra("plot", ("matplotlib",))


def may_plot(path: Path) -> bool:
    """Whether a picture can be drawn; if a package is absent, standard error is told which.

    Raises:
        InputError: its name has another suffix than those of pictures.
    """
    from elman._errors import InputError

    try:
        PLOT.require("--plot")
    except ImportError as absent:
        print(f"elman: {absent}", file=sys.stderr)
        return False
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"--plot: expected a file named .png, .svg or .pdf, got {path}")
    return True


def require_places(places: Iterable[Path | None], overwrite: bool, made: Path | None = None) -> None:
    """See that files can be written there, or in the folder ``made``, which is made before them.

    Raises:
        InputError: there is one and not ``overwrite``, or there is no such folder.
    """
    from elman._errors import InputError
    from elman.runtime._saving import require_free

    for place in filter(None, places):
        require_free(place, overwrite)
        if not place.parent.is_dir() and place.parent != made:
            raise InputError(f"{place}: expected a place in a folder that exists, there is no {place.parent}")
