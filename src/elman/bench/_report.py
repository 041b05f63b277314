"""What was measured, as it lies in a JSON file, and the figures that are read off it."""

import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from elman._cells import FAMILIES, Family
from elman.bench._cases import Case, Shape
from elman.bench._contenders import OURS, PEERS
from elman.bench._own import Own

__all__ = ["FORMAT", "LONG", "Failure", "Report", "Row", "Timing", "geometric_mean"]

FORMAT = "elman bench 1"
LONG = 50  # steps, from which a shape counts in the geometric means
NATIVE = {each.name for each in (*OURS, *PEERS) if each.native}


@dataclass(frozen=True)
class Timing:
    """A contender at a case with a number of threads: microseconds a call, of each round."""

    kind: str
    shape: Shape
    contender: str
    threads: int
    variant: str
    rounds: list[float]

    @property
    def best(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


@dataclass(frozen=True)
class Failure:
    """A contender that did not do a case, or did it wrong."""

    kind: str
    shape: Shape
    contender: str
    threads: int
    reason: str


@dataclass(frozen=True)
class Row:
    """A case with each contender at its best number of threads."""

    case: Case
    timings: dict[str, Timing]

    @property
    def ours(self) -> Timing | None:
        """The faster of what Python calls."""
        return self._ours(native=False)

    @property
    def best_peer(self) -> Timing | None:
        """The peer with the least ratio."""
        ratios = {name: ratio for name in self._peers() if (ratio := self.ratio(name))}
        return self.timings[min(ratios, key=lambda name: ratios[name])] if ratios else None

    def beside(self, peer: str) -> Timing | None:
        """Return the fastest of ours that a peer is compared with: like with like."""
        return self._ours(native=peer in NATIVE)

    def ratio(self, peer: str | None = None) -> float | None:
        """Return how many times as long a peer takes, the best one if no name is given; None if it is not there."""
        other = self.timings.get(peer) if peer else self.best_peer
        ours = self.beside(other.contender) if other else None
        return other.best / ours.best if other and ours else None

    def _ours(self, native: bool) -> Timing | None:
        names = [each.name for each in OURS if native or not each.native]
        return _fastest(self.timings[name] for name in names if name in self.timings)

    def _peers(self) -> list[str]:
        own = {each.name for each in OURS}
        return [name for name in self.timings if name not in own]


@dataclass
class Report:
    """A whole run.

    Attributes:
        machine: see :func:`elman.bench._machine.describe`, and the best of all ``rates``: see
            :func:`elman.bench._rates.rates`.
        versions: of every package that took part.
        settings: ``cell``, ``rounds``, ``seconds`` of each, ``threads``; ``own`` of a cell of the user's own.
        missing: what to install for each peer that is not there, or why it cannot be imported.
    """

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    missing: dict[str, str]
    timings: list[Timing] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def family(self) -> Family:
        """The cell of the run; of older files it is the plain one."""
        return self.own.family if self.own else FAMILIES[self.settings.get("cell", "rnn")]

    @property
    def own(self) -> Own | None:
        """The user's own cell, if it is the run's."""
        data = self.settings.get("own")
        return Own.from_data(self.settings["cell"], data) if data else None

    def rows(self, threads: int | None = None) -> list[Row]:
        """Return a row for each case, in the order in which they were measured.

        Args:
            threads: of these numbers alone; None: of each contender's best.
        """
        found: dict[Case, dict[str, list[Timing]]] = {}
        own, name = self.own, self.family.name
        for timing in self.timings:
            if threads not in (None, timing.threads):
                continue
            by_name = found.setdefault(Case(timing.kind, timing.shape, name, own), {})
            by_name.setdefault(timing.contender, []).append(timing)
        fastest = {case: {name: _fastest(each) for name, each in of.items()} for case, of in found.items()}
        return [Row(case, {name: each for name, each in of.items() if each}) for case, of in fastest.items()]

    @property
    def gflops(self) -> float:
        """The machine's matrix product: the better of MKL's and OpenBLAS's."""
        return float(max(self.machine["rates"]["torch"], self.machine["rates"]["numpy"]))

    def to_json(self) -> str:
        """Write it down, a contender's rounds a line."""
        parts = []
        for name, value in ({"format": FORMAT} | asdict(self)).items():
            lines = ",\n".join(json.dumps(each) for each in value) if isinstance(value, list) else ""
            parts.append(f"{json.dumps(name)}: " + (f"[\n{lines}\n]" if lines else json.dumps(value)))
        return "{\n" + ",\n".join(parts) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ValueError(f"expected a file of the format {FORMAT!r}")
        for name, kind in (("timings", Timing), ("failures", Failure)):
            content[name] = [kind(**each | {"shape": Shape(*each["shape"])}) for each in content[name]]
        return cls(**content)


def geometric_mean(values: Iterable[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def _fastest(timings: Iterable[Timing]) -> Timing | None:
    return min(timings, key=lambda timing: timing.best, default=None)
