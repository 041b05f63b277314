"""A report as a whole run makes it, of numbers that mean nothing."""

import random

from elman.bench._cases import cases_of
from elman.bench._contenders import OURS, PEERS
from elman.bench._report import Failure, Report, Timing

MACHINE = {
    "processor": "AMD EPYC 9R14",
    "architecture": "x86_64",
    "cores": 2,
    "system": "Linux 6.1",
    "instruction_set": "avx512",
    "rates": {"torch": 90.0, "numpy": 207.0, "copy": 9.25},
}
DOES_NOT_TRAIN = ("elman runtime", "onnxruntime", "openvino", "numba")
ONLY_TRAINS = ("elman engine",)


def whole_report(longest: float = 999_999.0, cell: str = "rnn") -> Report:
    """Return one with every contender at every case, whose longest call takes so many microseconds."""
    draw = random.Random(0).uniform
    names = [contender.name for contender in (*OURS, *PEERS)]
    versions = {package: "2026.4.1" for contender in PEERS for package in contender.packages}
    settings = {"cell": cell, "rounds": 3, "seconds": 0.02, "threads": [1, 2]}
    report = Report(MACHINE, versions, settings, {"keras": "pip install keras"})
    for case in cases_of([], [], cell):
        for name in names:
            if name not in (DOES_NOT_TRAIN if case.kind == "training" else ONLY_TRAINS):
                for threads in (1, 2):
                    rounds = [min(longest, case.flops**0.6 * draw(1, 9)) for _ in range(3)]
                    report.timings.append(Timing(case.kind, case.shape, name, threads, "", rounds))
    for case in cases_of(["step"], [], cell):
        report.failures.append(Failure(case.kind, case.shape, "jax", 2, "ended with -11"))
    return report
