"""Run targets one after the other, and say what was found.

python -m fuzz [TARGET ...] [--seconds 60]     fuzz
python -m fuzz --write-seeds                   write the seeds that targets make to the corpus
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.places import CORPUS, FOUND
from fuzz.targets import NAMES, load_target

MEMORY = Path("/dev/shm")  # files in memory: a file on a disk takes longer to make than to read
SHOWN, LONGEST_LINE = 12, 400  # of the output of a target that finds something


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", choices=[[], *NAMES], metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--write-seeds", action="store_true")
    options = parser.parse_args()
    targets = options.targets or NAMES
    if options.write_seeds:
        for target in targets:
            write_seeds(target)
        return 0
    return int(sum([campaign(target, options.seconds) for target in targets]) > 0)


def write_seeds(target: str) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in load_target(target).seeds().items():
        (folder / name).write_bytes(data)


def campaign(target: str, seconds: int) -> bool:
    """Run one target; return whether something was found."""
    before = set((FOUND / target).glob("*"))
    command = [sys.executable, "-m", "fuzz.campaign", target, str(seconds)]
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        environment = {**os.environ, "TMPDIR": folder}
        finished = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, check=False
        )
    lines = [line for line in (finished.stdout + finished.stderr).splitlines() if line.strip()]
    if finished.returncode == 0:
        done = [line for line in lines if line.startswith("Done ")] or lines[-1:]
        print(f"{target}: nothing found. {done[0] if done else ''}", flush=True)
        return False
    if finished.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        print(f"{target}: stopped", flush=True)
        return True
    inputs = sorted(set((FOUND / target).glob("*")) - before)
    print(f"{target}: FOUND, exit code {finished.returncode}")
    if not inputs:
        print(*(f"    {line[:LONGEST_LINE]}" for line in lines[-SHOWN:]), "    no input was written", sep="\n")
    for path in inputs:
        command[-1] = str(path)
        again = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        shown = [line for line in again.stderr.splitlines() if line.strip()][-SHOWN:]
        print(*(f"    {line[:LONGEST_LINE]}" for line in shown), sep="\n")
        print(f"    input: {path}\n    again: python -m fuzz.campaign {target} {path}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
