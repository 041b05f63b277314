"""What the tables have in common: a column for each contender, and how its numbers are written."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from elman.bench._contenders import NAMES
from elman.bench._report import Row

__all__ = ["comparison", "microseconds", "names_in", "table_of"]

HEADS = {"onnxruntime": "onnx-\nruntime", "openvino": "open-\nvino", "torch.compile": "torch.\ncompile"}


def names_in(rows: Iterable[Row]) -> list[str]:
    """Return the contenders that have a time in some row, in the order of their columns."""
    found = {name for row in rows for name in row.timings}
    return [name for name in NAMES if name in found]


def table_of(names: Iterable[str], *further: str) -> Table:
    """Return a table without rows: the shape, a column for each contender, and others."""
    table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False, header_style="")
    table.add_column("steps,batch,\ninput,hidden", no_wrap=True)
    for name in names:
        table.add_column(HEADS.get(name, name.replace(" ", "\n") if " " in name else f"\n{name}"), justify="right")
    for head in further:
        table.add_column(head, justify="right")
    for column in table.columns:
        column.no_wrap = True
    return table


def microseconds(time: float) -> str:
    """Return three figures or more, in at most five characters."""
    value, unit = time, ""
    if value >= 99_999.5:
        value, unit = value / 1e3, "ms"
    if value >= 999.5 and unit:
        value, unit = value / 1e3, "s"
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}{unit}"


def comparison(row: Row) -> Text:
    """Return how many times as long the best peer takes, and below it who that is."""
    ratio, peer = row.ratio(), row.best_peer
    if not ratio or not peer:
        return Text("-")
    return Text.assemble((f"{ratio:.2f}x", "green" if ratio >= 1 else "red"), "\n", (peer.contender, "dim"))
