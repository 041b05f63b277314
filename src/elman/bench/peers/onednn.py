"""oneDNN by its own C++ interface, compiled with the system's compiler when this is imported, timed without Python.

Weights are in the format that the primitive asks for, reordered once; memory is allocated once. PyTorch's GRU is
``lbr_gru``.
"""

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np

from elman.bench._problem import Array, Problem, Results, in_order
from elman.bench._variant import Variant

COMPILER = os.environ.get("CXX", "g++")


def _compile() -> Any:
    header, shared = _installed("onednn-devel-cpu-gomp", "dnnl.hpp"), _installed("onednn-cpu-gomp", "libdnnl.so.3")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "onednn_rnn.so")
        options = ["-std=c++17", "-O1", "-shared", "-fPIC", f"-I{header.parent}", f"-Wl,-rpath,{shared.parent}"]
        files = [Path(__file__).with_name("onednn_rnn.cpp"), shared, "-o", built]
        try:
            subprocess.run([COMPILER, *options, *map(str, files)], check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise ValueError(f"it needs a C++ compiler, there is no {COMPILER}; CXX may name another") from None
        except subprocess.CalledProcessError as error:
            raise ValueError(f"{COMPILER} failed: {error.stderr}") from None
        library = ctypes.CDLL(str(built))
    size, pointer = ctypes.c_long, ctypes.c_void_p
    library.rnn_error.restype = ctypes.c_char_p
    library.rnn_make.argtypes = [ctypes.c_char_p] + [size] * 6 + [ctypes.c_bool] * 2 + [pointer] * 7
    library.rnn_make.restype = pointer
    library.rnn_run.argtypes = [pointer, size]
    library.rnn_run.restype = ctypes.c_bool
    library.rnn_read.argtypes = [pointer] * 6
    library.rnn_read.restype = ctypes.c_bool
    return library


def _installed(package: str, name: str) -> Path:
    """Return where a file of a package lies; links beside it may be gone."""
    found = (Path(str(file.locate())).resolve() for file in files(package) or ())
    return next(path for path in found if path.name == name and "oneapi" not in path.parts)


LIBRARY = _compile()


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    yield _variant(problem, {"output": np.empty_like(problem.d_output)})


step = inference


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    like = {
        "output": problem.d_output,
        "d_input": problem.x,
        "d_weight_ih": problem.weight_ih,
        "d_weight_hh": problem.weight_hh,
        "d_bias": problem.bias,
    }
    yield _variant(problem, {name: np.empty_like(array) for name, array in like.items()})


def _variant(problem: Problem, results: Results) -> Variant:
    kind, family = problem.case.kind, problem.case.family
    gates, bias_gates = family.onednn_gates, family.onednn_gates + family.apart.upper()
    weights = [in_order(weight, family.gates, gates) for weight in (problem.weight_ih, problem.weight_hh)]
    states = [*problem.states, None][:2]
    given = [problem.x, *states, *weights, in_order(problem.bias, problem.bias_gates, bias_gates), problem.d_output]
    sizes = *problem.case.shape, len(gates), len(bias_gates)
    # A state in training too: without one this release errs in d_weight_hh.
    options = [kind == "training", kind != "inference"]
    handle = _checked(LIBRARY.rnn_make(problem.case.cell.encode(), *sizes, *options, *map(_address, given)))
    targets = [*map(_address, results.values()), *[None] * (5 - len(results))]

    def loop(calls: int) -> None:
        _checked(LIBRARY.rnn_run(handle, calls))

    def read(_: object) -> Results:
        _checked(LIBRARY.rnn_read(handle, *targets))
        if kind != "training":
            return results
        ordered = {name: in_order(results[name], gates, family.gates) for name in ("d_weight_ih", "d_weight_hh")}
        return results | ordered | problem.d_biases(results["d_bias"], bias_gates)

    return Variant("", lambda: loop(1), read, loop=loop)


def _address(array: Array | None) -> int | None:
    return None if array is None else array.ctypes.data


def _checked(result: Any) -> Any:
    if not result:
        raise ValueError(LIBRARY.rnn_error().decode())
    return result
