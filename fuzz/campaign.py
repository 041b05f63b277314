"""One target for some seconds, in a process of its own: guided by coverage if atheris is there, else at random.

python -m fuzz.campaign TARGET SECONDS
python -m fuzz.campaign TARGET FILE...     runs these inputs
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")  # before NumPy: each thread reserves memory

import faulthandler
import importlib.util
import random
import resource
import sys
import time
from pathlib import Path
from types import ModuleType

from fuzz.mutations import mutate
from fuzz.places import FOUND, GROWN, corpus_files
from fuzz.targets import load_target

MOST_MEMORY = 2 << 30  # bytes beyond what the process has at its start
LONGEST_RUN = 10  # seconds for one input


def main() -> None:
    name, *arguments = sys.argv[1:]
    if not arguments[0].isdecimal():
        target = load_target(name)
        limit_memory()
        for argument in arguments:
            target.run(Path(argument).read_bytes())
        print(f"{name}: {len(arguments)} inputs, nothing found")
        return
    seconds = int(arguments[0])
    for folder in (FOUND / name, GROWN / name):
        folder.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("atheris"):
        guided(name, seconds)
    else:
        unguided(name, load_target(name), seconds)


def limit_memory() -> None:
    """Let what takes too much memory fail with a MemoryError."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, now + MOST_MEMORY))


def guided(name: str, seconds: int) -> None:
    import atheris  # type: ignore[import-untyped, unused-ignore]

    # the finder of an editable install would come before atheris's and find elman as it is
    sys.meta_path.sort(key=lambda finder: "Redirecting" in type(finder).__name__)
    with atheris.instrument_imports(include=["elman", "fuzz", "json", "csv"], exclude=["elman._engine"]):
        target = load_target(name)
    limit_memory()
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={LONGEST_RUN}",
        f"-rss_limit_mb={MOST_MEMORY >> 20}",
        f"-artifact_prefix={FOUND / name}/",
        "-max_len=8192",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(GROWN / name), str(corpus_files(name)[0].parent)], target.run)
    atheris.Fuzz()


def unguided(name: str, target: ModuleType, seconds: int) -> None:
    corpus = [path.read_bytes() for path in corpus_files(name)]
    generator, end, runs = random.Random(time.time_ns()), time.monotonic() + seconds, 0
    limit_memory()
    current = FOUND / name / f"unguided-{os.getpid()}"
    while time.monotonic() < end:
        data = mutate(generator, corpus)
        current.write_bytes(data)  # before it runs: it may take the process with it
        faulthandler.dump_traceback_later(LONGEST_RUN, exit=True)
        target.run(data)
        runs += 1
    faulthandler.cancel_dump_traceback_later()
    current.unlink()
    print(f"Done {runs} runs in {seconds} second(s)")


if __name__ == "__main__":
    main()
