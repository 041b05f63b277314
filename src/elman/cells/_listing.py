"""A program as it would be written in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["assignments"]

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "less_equal": "<=", "equal": "=="}
_BINDS = {"<": 0, "<=": 0, "==": 0, "+": 1, "-": 1, "*": 2, "/": 2}
_TIGHT = 3
_PARTS = {"gate_input": ".input", "gate_recurrent": ".recurrent"}


def assignments(nodes: Sequence[Any], results: Mapping[str, int]) -> list[str]:
    """What computes the results, by name their places: ``v3 = tanh(a)`` of a value that is taken more than once."""
    uses = [0] * len(nodes)
    for node in nodes:
        for value in node.values:
            uses[value] += 1
    lines: list[str] = []
    texts: list[tuple[str, int]] = []
    for place, node in enumerate(nodes):
        text, binds = _written(node, [texts[value] for value in node.values])
        if node.values and uses[place] + [*results.values()].count(place) > 1:
            lines.append(f"v{place} = {text}")
            text, binds = f"v{place}", _TIGHT
        texts.append((text, binds))
    return [*lines, *(f"{name} = {texts[place][0]}" for name, place in results.items())]


def _written(node: Any, taken: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """The text, and how tightly it binds."""
    sign = _SIGNS.get(node.operation)
    if sign:
        binds, ((left, of_left), (right, of_right)) = _BINDS[sign], taken
        left = left if of_left >= binds else f"({left})"
        return f"{left} {sign} {right if of_right > binds else f'({right})'}", binds
    if node.operation == "negate":
        text, binds = taken[0]
        return f"-{text if binds == _TIGHT else f'({text})'}", 2
    if node.values:
        return f"{node.operation}({', '.join(text for text, _ in taken)})", _TIGHT
    if node.operation == "number":
        return f"{node.number:g}" if node.number >= 0 else f"({node.number:g})", _TIGHT
    return (node.name or node.operation) + _PARTS.get(node.operation, ""), _TIGHT
