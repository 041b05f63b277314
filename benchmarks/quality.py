"""How well models of ``elman train`` do, beside what people would use instead: the table of docs/results.md.

    python benchmarks/quality.py                       every row (some 40 minutes on 2 cores)
    python benchmarks/quality.py --only vowels         one task; may be repeated
    python benchmarks/quality.py --snips FOLDER        with SNIPS, which is not shipped: snips_intents_*.csv and
                                                       snips_slots_*.conll, from github.com/sonos/nlu-benchmark
    python benchmarks/quality.py --cells rnn,gru,lstm  every task with each cell instead, over --seeds, without peers
                                                       (some 5 hours of a processor's time, which a machine with other
                                                       work may take with --threads 1): goes on where it was stopped,
                                                       with what lies in --json, and without --only writes its table
                                                       into docs/results

Ours are run by the shell commands, with default options and with ``--engine torch``; the others in an environment
that is made on the first run (``--environment``), on the same files and with as many threads. No choice is made by a
test part.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import quality_cells
from quality_tasks import TASKS, Peer, Task

HERE = Path(__file__).parent
PEERS = HERE / "peers"
ENGINES = {"elman": [], "elman --engine torch": ["--engine", "torch"]}
NAIVE = {"seasonal naive": "seasonal_naive_mae", "naive": "naive_mae"}

Row = dict[str, Any]


def rows_of(task: Task, peers: Path, threads: int) -> Iterator[Row]:
    """Yield a row for each method: task, method, the figures, and the seconds of training and of prediction."""
    with tempfile.TemporaryDirectory() as folder:
        train, test = task.split(Path(folder))
        for name, options in ENGINES.items():
            figures = run_ours(
                task, train, test, Path(folder, name.replace(" ", "-")), [*options, *task.options], threads
            )
            yield {"task": task.name, "method": name, **figures}
        for name, key in NAIVE.items():
            if key in figures:
                yield {"task": task.name, "method": name, "mae": figures[key]}
        for peer in task.peers:
            yield {"task": task.name, "method": peer.name, **run_peer(peer, train, test, peers, threads)}


def run_once(threads: int, task: Task, options: list[str]) -> Row:
    """Return the figures of one model of ours, trained with these options beside the task's."""
    with tempfile.TemporaryDirectory() as folder:
        train, test = task.split(Path(folder))
        return run_ours(task, train, test, Path(folder, "model"), [*options, *task.options], threads)


def run_ours(task: Task, train: Path, test: Path, model: Path, options: list[str], threads: int) -> Row:
    elman = [sys.executable, "-m", "elman"]
    of_threads = ["--threads", str(threads)]
    started, used = time.perf_counter(), processor_seconds()
    words = [*elman, "train", task.verb, str(train), "--out", str(model), *options, *of_threads]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    times = {"train_seconds": time.perf_counter() - started, "processor_seconds": processor_seconds() - used}
    words = [*elman, "evaluate", str(model), str(test), "--json", *of_threads]
    report = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return {**report, **times}


def processor_seconds() -> float:
    """Return the time of processors that the commands which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_peer(peer: Peer, train: Path, test: Path, peers: Path, threads: int) -> Row:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    words = [str(peers / "bin" / "python"), str(PEERS / peer.script), str(train), str(test), *peer.arguments]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=os.environ | limits)
    report: Row = json.loads(done.stdout.splitlines()[-1])
    return report


def make_environment(folder: Path) -> Path:
    """Install the peers where they are not yet."""
    marker = folder / "installed"
    requirements = (PEERS / "requirements.txt").read_text(encoding="utf-8")
    if not marker.is_file() or marker.read_text(encoding="utf-8") != requirements:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement"]
        subprocess.run([*install, str(PEERS / "requirements.txt")], check=True)
        marker.write_text(requirements, encoding="utf-8")
    return folder


def table(rows: list[Row]) -> str:
    """Return the rows as a table of Markdown."""
    measures = {task.name: task.measures for task in TASKS}
    lines = ["| task | method | quality | training | prediction |", "|---|---|---|---|---|"]
    for row in rows:
        quality = ", ".join(shown(name, row[name]) for name in measures[row["task"]] if name in row)
        seconds = [f"{row[key]:.1f} s" if key in row else "" for key in ("train_seconds", "seconds")]
        lines.append(f"| {row['task']} | {row['method']} | {quality} | {' | '.join(seconds)} |")
    return "\n".join(lines)


def found_of(tasks: list[Task], snips: Path | None) -> Iterator[Task]:
    """Yield the tasks whose files are there, and say of the others which are not."""
    for task in tasks:
        if found := task.found(snips):
            yield found
        else:
            missing = f"{task.train}{' (--snips)' if task.snips else ''}"
            print(f"{task.name}: left out, there is no {missing}", file=sys.stderr)


def said(row: Row) -> None:
    print(json.dumps({key: value for key, value in row.items() if not isinstance(value, dict)}), file=sys.stderr)


def shown(name: str, value: float) -> str:
    words = name.replace("_", " ").replace("f1", "F1")
    return f"{words} {value:.2%}" if name == "accuracy" else f"{words} {value:.4g}"


def main() -> None:
    keep_lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=keep_lines)
    names = [task.name for task in TASKS]
    parser.add_argument("--only", metavar="NAME", action="append", choices=names, help=f"one of {', '.join(names)}")
    parser.add_argument("--snips", metavar="FOLDER", type=Path, help="where the files of SNIPS lie")
    several = "for --cells, separated by commas (default: %(default)s)"
    parser.add_argument("--cells", metavar="CELL,…", type=lambda text: text.split(","), help="of rnn, gru and lstm")
    parser.add_argument("--seeds", metavar="N,…", default="0,1,2", help=several)
    kept = quality_cells.KEPT.relative_to(HERE.parent)
    parser.add_argument("--json", metavar="FILE", type=Path, help=f"write all figures there; with --cells, {kept}")
    parser.add_argument("--threads", metavar="N", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--environment", metavar="FOLDER", type=Path, default=HERE.parent / "build" / "quality-env")
    options = parser.parse_args()

    tasks = [task for task in TASKS if not options.only or task.name in options.only]
    found = list(found_of(tasks, options.snips))
    if options.cells:
        run, kept = partial(run_once, options.threads), options.json or quality_cells.KEPT
        measured = quality_cells.measure(found, options.cells, options.seeds.split(","), kept, run)
        print(quality_cells.table(measured, tasks))
        if not options.only:
            quality_cells.write_pages(measured, tasks)
        return
    peers = make_environment(options.environment)
    rows: list[Row] = []
    for task in found:
        for row in rows_of(task, peers, options.threads):
            said(row)
            rows.append(row)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
