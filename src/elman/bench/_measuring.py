"""The run: every contender in turn, round by round."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from elman.bench._cases import Case
from elman.bench._contenders import Contender, ours_of
from elman.bench._machine import describe, versions
from elman.bench._problem import draw
from elman.bench._process import Failed, Process
from elman.bench._report import Failure, Report, Timing

__all__ = ["measure"]

Notice = Callable[[str], object]
LEAST, ENOUGH = 3, 1.5  # rounds; seconds beyond what was asked for, after which a contender has no more of them


def measure(
    cases: list[Case], peers: list[Contender], threads: list[int], rounds: int, seconds: float, advance: Notice
) -> Report:
    """Time our contenders and the peers that are there.

    Args:
        cases: what is done.
        peers: beside ours.
        threads: each contender runs with each of these numbers.
        rounds: how many each of them has at each case, fewer where they take long.
        seconds: of a round.
        advance: is told what begins: first ``len(cases) * (rounds + 1)`` parts are still to come, then one less.

    Raises:
        ImportError: the layer cannot be imported, beside which all is measured.
    """
    own = cases[0].own if cases else None
    ours = ours_of(own)
    settings: dict[str, Any] = {"cell": own.title if own else cases[0].cell if cases else "rnn"}
    settings |= {"rounds": rounds, "seconds": seconds, "threads": threads} | ({"own": own.to_data()} if own else {})
    missing = {peer.name: needed for peer in peers if (needed := peer.missing())}
    present = [*ours, *(peer for peer in peers if peer.name not in missing)]
    report = Report(describe() | {"rates": {}}, versions(present), settings, missing)
    with ExitStack() as stack:
        rater = stack.enter_context(Process(ours[0], max(threads)))  # asked for the rates and the right results
        processes = [stack.enter_context(Process(contender, number)) for contender in present for number in threads]
        for process in processes:  # all at once
            process.start()
        running = [process for process in processes if _runs(process, report)]
        try:
            rater.kinds()
        except Failed as failure:
            raise ImportError(f"elman.nn cannot be imported: {failure}") from None
        for case in cases:
            _measure(case, running, rater, report, rounds, seconds, advance)
    return report


def _runs(process: Process, report: Report) -> bool:
    """Whether a contender can be imported; if not, the report says why."""
    try:
        return bool(process.kinds())
    except Failed as failure:
        report.missing[process.contender.name] = str(failure)
        return False


def _measure(
    case: Case,
    processes: list[Process],
    rater: Process,
    report: Report,
    rounds: int,
    seconds: float,
    advance: Notice,
) -> None:
    """Check all, then let them take turns; who fails is out for this case."""
    advance(f"{case}: checking")
    rates = report.machine["rates"]
    for name, rate in rater.ask("rates").items():
        rates[name] = max(rate, rates.get(name, 0.0))
    problem = draw(case)
    taken: dict[Process, Timing] = {}

    def fail(process: Process, failure: Failed) -> None:
        taken.pop(process, None)
        report.failures.append(Failure(case.kind, case.shape, process.contender.name, process.threads, str(failure)))

    try:
        right = rater.ask("solve", problem)
    except Failed as failure:
        fail(rater, failure)
        return
    for process in processes:
        try:
            if case.kind in process.kinds():
                variant = process.ask("prepare", problem, right)
                name, threads = process.contender.name, process.threads
                taken[process] = Timing(case.kind, case.shape, name, threads, variant, [])
        except Failed as failure:
            fail(process, failure)
    spent = dict.fromkeys(taken, 0.0)
    for number in range(rounds):
        advance(f"{case}: round {number + 1} of {rounds}")
        for process in list(taken):
            if number >= LEAST and spent[process] > ENOUGH + 2 * rounds * seconds:
                continue
            start = time.perf_counter()
            try:
                taken[process].rounds.append(process.ask("time", seconds))
            except Failed as failure:
                fail(process, failure)
            spent[process] += time.perf_counter() - start
    report.timings += taken.values()
