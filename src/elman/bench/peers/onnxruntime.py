"""ONNX Runtime on a model of one operator, called with NumPy arrays or with its own, bound once."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import onnxruntime

from elman.bench._problem import Problem
from elman.bench._variant import Variant
from elman.bench.peers._onnx_model import inputs_of, model_of


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model_of(problem), options, providers=["CPUExecutionProvider"])
    given = inputs_of(problem)
    yield Variant("arrays", partial(session.run, ["Y"], given), lambda found: {"output": found[0][:, 0]})

    binding, output = session.io_binding(), np.empty_like(problem.d_output)
    for name, array in given.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    steps, batch, hidden_size = output.shape
    binding.bind_output("Y", "cpu", 0, np.float32, (steps, 1, batch, hidden_size), output.ctypes.data)
    yield Variant("bound", partial(session.run_with_iobinding, binding), lambda found: {"output": output})


step = inference
