"""``elman bench``."""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elman._extras import Extra
from elman.cli._arguments import integer, number
from elman.cli._outputs import may_plot, require_places
from elman.cli._parser import Commands, add_command

__all__ = ["add_bench", "bench"]

BENCH = Extra("bench", ("torch", "rich"))


def add_bench(commands: Commands) -> None:
    summary = "Time the layer and the runtime beside other libraries, each result checked."
    add = add_command(commands, "bench", summary, bench, BENCH).options.add_argument
    add("--cell", metavar="CELL", help="rnn, gru or lstm (default: rnn)")
    own = "A cell of your own: mycell.py, or mycell.py:NAME, mycell.py:Leaky(leak=0.2); the file is imported"
    add("--cell-file", metavar="FILE", help=own)
    add("--what", metavar="KIND", action="append", help="inference, training or step (default: all); may be repeated")
    shape = "Sizes of a layer and its input; may be repeated (default: 11 shapes, 3 for a cell of your own)"
    add("--shape", metavar="STEPS,BATCH,INPUT,HIDDEN", action="append", help=shape)
    peer = "torch, jax, onnxruntime, openvino, numba or onednn (default: all that are installed); may be repeated. "
    peer += "For a cell of your own: torch (a loop over the steps), torch.compile (of that loop) or jax"
    add("--peer", metavar="NAME", action="append", help=peer)
    threads = "Numbers of threads: of several the best counts, and a table shows each (default: 1,2)"
    add("--threads", metavar="N,…", help=threads)
    add("--rounds", metavar="N", type=integer, default=11, help="Rounds of each contender at each shape")
    add("--seconds", metavar="S", type=number, default=0.02, help="Length of a round")
    add("--json", metavar="FILE", type=Path, help="Where to write all rounds, the machine and the versions")
    add("--plot", metavar="FILE", type=Path, help="Picture to draw: .png, .svg or .pdf (needs the extra plot)")
    add("--overwrite", action="store_true", help="Replace the files of --json and --plot")


def bench(options: Namespace) -> int:
    from elman._errors import OptionError
    from elman._files import write_files
    from elman.bench._cases import Shape, cases_of
    from elman.bench._contenders import OURS, peers_of
    from elman.bench._measuring import measure
    from elman.bench._own import load
    from elman.bench._table import show

    if options.cell is not None and options.cell_file is not None:
        raise OptionError("cell_file", "--cell or --cell-file, not both", options.cell_file)
    own = load(options.cell_file) if options.cell_file is not None else None
    shapes = [Shape.parse(text) for text in options.shape or ()]
    cases = cases_of(_split(options.what), shapes, options.cell or "rnn", own)
    peers, threads = peers_of(_split(options.peer), own), _threads(options.threads)
    if options.rounds < 1:
        raise OptionError("rounds", "an integer of at least 1", options.rounds)
    if not 0 < options.seconds <= 60:
        raise OptionError("seconds", "a number above 0 and up to 60", options.seconds)
    if options.plot and not may_plot(options.plot):
        return 1
    require_places((options.json, options.plot), options.overwrite)

    with _progress(len(cases) * (options.rounds + 1)) as advance:
        report = measure(cases, peers, threads, options.rounds, options.seconds, advance)
    if options.json:
        write_files(options.json.parent, {options.json.name: report.to_json().encode()})
    if options.plot:
        from elman.bench._plot import plot

        plot(options.plot, report)
    show(report, by_threads=options.threads is not None and len(threads) > 1)
    ours = {our.name for our in OURS}
    return 1 if ours & ({failure.contender for failure in report.failures} | report.missing.keys()) else 0


def _split(given: list[str] | None) -> list[str]:
    return [word for text in given or () for word in text.split(",")]


def _threads(text: str | None) -> list[int]:
    from elman._errors import OptionError
    from elman._figures import counted
    from elman._processors import processors

    most = processors()
    if text is None:
        return sorted({1, min(2, most)})
    wanted = sorted({int(word) if word.isdecimal() else 0 for word in text.split(",")})
    able = [number for number in wanted if number <= most]
    if not able or able[0] < 1:
        there = f"as there {'is' if most == 1 else 'are'} {counted(most, 'processor')}"
        raise OptionError("threads", f"integers from 1 to {most} with commas between, {there}", text)
    if able != wanted:
        left = ", ".join(map(str, wanted[len(able) :]))
        print(f"elman: --threads: {left} left out, there are {counted(most, 'processor')}", file=sys.stderr)
    return able


@contextmanager
def _progress(parts: int) -> Iterator[Callable[[str], None]]:
    """Draw a bar on standard error while it is a terminal; yield what is told the next part."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, refresh_per_second=2, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("starting", total=parts)
        done = -1

        def advance(what: str) -> None:
            nonlocal done
            done += 1
            bar.update(task, description=what, completed=done)

        yield advance
