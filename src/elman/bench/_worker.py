"""A contender's process: does a problem in every way it knows, keeps the fastest, and times that when it is asked."""

import sys
import time
from importlib import import_module
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from elman.bench._cases import KINDS
from elman.bench._problem import Problem, Results, difference
from elman.bench._rates import rates
from elman.bench._settling import settle
from elman.bench._variant import Variant

__all__ = ["main"]

TRIALS, TRIAL_SECONDS = 3, 0.05  # of each variant, before one is kept
LONG = 0.1  # seconds of a call in which it no longer counts how cold it began


class Worker:
    """What a process answers: each method is a request."""

    def __init__(self, module: str, threads: int) -> None:
        self.threads = threads
        self._module: ModuleType = import_module(module)
        self._problem: Problem | None = None  # whose arrays are read in every call
        self._variant: Variant | None = None
        self._seconds = 0.0

    def kinds(self) -> list[str]:
        """Return the kinds of work that the contender can do."""
        return [kind for kind in KINDS if hasattr(self._module, kind)]

    def prepare(self, problem: Problem, right: Results) -> str:
        """Get ready for a problem and return the name of the fastest variant.

        Raises:
            ValueError: a variant's results are wrong.
        """
        self._variant, self._problem, own = None, problem, problem.case.own
        found: list[tuple[float, Variant]] = []
        for variant in getattr(self._module, problem.case.kind)(problem, self.threads):
            with variant.within():
                wrong = difference(variant.read(variant.call()), right, bool(own and own.has_kinks))
                if wrong:
                    raise ValueError(f"{variant.name}: {wrong}" if variant.name else wrong)
                found.append((_trial(variant), variant))
        self._seconds, self._variant = min(found, key=lambda each: each[0])
        return self._variant.name

    def time(self, seconds: float) -> float:
        """Return the microseconds of a call, the mean over a round of so many seconds; at least one call."""
        assert self._variant
        with self._variant.within():
            if self._seconds < LONG:
                self._variant.seconds(2 if self._seconds < seconds else 1)  # to be warm again
            self._seconds = self._variant.seconds(max(1, round(seconds / self._seconds)))
        settle()
        return float(f"{self._seconds * 1e6:.5g}")

    def solve(self, problem: Problem) -> Results:
        """Return the right results, as :func:`elman.bench._solution.solve` does."""
        from elman.bench._solution import solve

        found = solve(problem)
        settle()
        return found

    def rates(self) -> dict[str, float]:
        """Return the machine's rates, as :func:`elman.bench._rates.rates` does."""
        found = rates()
        settle()
        return found


def _trial(variant: Variant) -> float:
    """Return the seconds of a call, the best of a few."""
    best = variant.seconds(1)
    until = time.perf_counter() + TRIAL_SECONDS
    for _ in range(TRIALS):
        if best < TRIAL_SECONDS / TRIALS:
            best = min(best, variant.seconds(max(1, int(TRIAL_SECONDS / TRIALS / 4 / best))))
        if time.perf_counter() > until:
            break
    return best


def main() -> None:
    """Answer requests until the other end is closed."""
    module, threads, descriptor = sys.argv[1:]
    with Connection(int(descriptor)) as connection:
        try:
            worker = Worker(module, int(threads))
        except Exception as error:
            connection.send(("failed", _words(error)))
            return
        connection.send(("done", worker.kinds()))
        answer: tuple[str, Any]
        while True:
            try:
                request, *arguments = connection.recv()
            except (EOFError, KeyboardInterrupt):
                return
            try:
                answer = "done", getattr(worker, request)(*arguments)
            except Exception as error:
                answer = "failed", _words(error)
            connection.send(answer)


def _words(error: Exception) -> str:
    return f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
