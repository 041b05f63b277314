"""A trace as one HTML file: what a browser draws is in it, and nothing is fetched."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array
from elman.runtime._trace.trace import Trace

__all__ = ["as_page", "page_data"]

TOP = 10  # tokens shown of those that a language model expects
ITERATIONS = 30  # towards the principal components of units
HALF = 32767  # a state of 1


def as_page(trace: Trace, title: str) -> str:
    """Return the page of a trace.

    Args:
        trace: the trace.
        title: of the page.
    """
    here = Path(__file__)
    # pure ASCII: no character, not even half of a surrogate pair, can end the script or be misread
    data = json.dumps(page_data(trace), allow_nan=False).replace("<", "\\u003c")
    filled = {
        "TITLE": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        "STYLE": here.with_name("page.css").read_text(encoding="utf-8"),
        "CHARTS": here.with_name("charts.js").read_text(encoding="utf-8"),
        "SCRIPT": here.with_name("page.js").read_text(encoding="utf-8"),
        "DATA": data,
    }
    pieces = here.with_name("page.html").read_text(encoding="utf-8").split("@@")
    return "".join(filled[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def page_data(trace: Trace) -> dict[str, Any]:
    """Return what the page's script reads: arrays in base64, states as 16-bit integers, all else as it is."""
    most = np.nanmax(np.abs(trace.states), initial=1.0)
    scale = float(most) if np.isfinite(most) else 1.0
    data: dict[str, Any] = {
        "kind": trace.kind,
        "read": trace.read,
        "readers": trace.readers,
        "layers": trace.states.shape[1],
        "units": trace.states.shape[3],
        "states": _packed(_rounded(trace.states / scale)),
        "scale": scale,
        "orders": _orders(trace.states),
        "known": None if trace.known is None else trace.known.tolist(),
        "taken": None if trace.taken is None else trace.taken.tolist(),
        "outcomes": trace.outcomes,
    }
    if trace.signal is not None:
        data |= {"channels": trace.channels, "signal": _packed(trace.signal.astype("<f4"))}
    if trace.expected:
        expected = trace.expected
        bounds = {"beliefs": trace.beliefs, "lower": expected.lower, "upper": expected.upper}
        data |= {name: _packed(values.astype("<f4")) for name, values in bounds.items()}
        data |= {"horizon": trace.beliefs.shape[1], "times": expected.times, "unseen": expected.unseen}
    elif trace.kind == "language model":
        data |= _likeliest(trace)
    else:
        data["beliefs"] = _packed(trace.beliefs.astype("<f4"))
    return data


def _likeliest(trace: Trace) -> dict[str, Any]:
    """Return the likeliest tokens after each step, and how likely the one that came was."""
    assert trace.taken is not None
    top = np.argsort(-trace.beliefs, axis=1, kind="stable")[:, :TOP]
    steps, came = np.arange(len(trace.beliefs)), np.maximum(trace.taken, 0)
    of_came = trace.beliefs[steps, came]
    ranks = (trace.beliefs > of_came[:, None]).sum(1)
    used, places = np.unique(np.concatenate([top.ravel(), came]), return_inverse=True)
    return {
        "outcomes": [trace.outcomes[number] for number in used],
        "top": places[: top.size].reshape(top.shape).tolist(),
        "taken": np.where(trace.taken < 0, -1, places[top.size :]).tolist(),
        "beliefs": _packed(np.take_along_axis(trace.beliefs, top, 1).astype("<f4")),
        "came": _packed(of_came.astype("<f4")),
        "ranks": ranks.tolist(),
    }


def _orders(states: Array) -> dict[str, list[list[list[int]]]]:
    """Return the units of each layer and reader, the most active first, and with those that do alike side by side."""
    _, layers, readers, _ = states.shape
    orders: dict[str, list[list[list[int]]]] = {"activity": [], "similarity": []}
    for layer in range(layers):
        of_readers = [np.nan_to_num(states[:, layer, reader].T) for reader in range(readers)]
        orders["activity"].append([np.argsort(-units.std(1), kind="stable").tolist() for units in of_readers])
        orders["similarity"].append([_by_similarity(units) for units in of_readers])
    return orders


def _by_similarity(units: Array) -> list[int]:
    """Return units, given their states (units, steps), by their angle in the plane of two principal components."""
    centred = units - units.mean(1, keepdims=True)
    scaled = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    plane = np.random.default_rng(0).standard_normal((len(units), 2))
    for _ in range(ITERATIONS):
        plane, _ = np.linalg.qr(scaled @ (scaled.T @ plane))
    angles = np.arctan2(*plane.T) if len(units) > 1 else np.zeros(1)
    order = np.argsort(angles, kind="stable")
    widest = int(np.argmax(np.diff(angles[order], append=angles[order[0]] + 2 * np.pi)))
    turned: list[int] = np.roll(order, -widest - 1).tolist()  # cut the circle where it is emptiest
    return turned


def _rounded(states: Array) -> NDArray[np.int16]:
    """Return states from -1 to 1 as 16-bit integers; what is no number as the least of them."""
    finite = np.nan_to_num(np.clip(states, -1, 1), nan=0.0)
    rounded: NDArray[np.int16] = np.where(np.isnan(states), -HALF - 1, np.rint(finite * HALF)).astype("<i2")
    return rounded


def _packed(values: Array) -> str:
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()
