"""OpenVINO on the ONNX model of one operator, compiled for latency, its arrays bound once."""

from collections.abc import Iterator

import openvino

from elman.bench._problem import Problem
from elman.bench._variant import Variant
from elman.bench.peers._onnx_model import inputs_of, model_of


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    core = openvino.Core()
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",  # some processors take bfloat16 otherwise
    }
    compiled = core.compile_model(core.read_model(model_of(problem)), "CPU", options)
    request = compiled.create_infer_request()
    for name, array in inputs_of(problem).items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
    output = request.get_output_tensor()
    yield Variant("", request.infer, lambda found: {"output": output.data[:, 0]})


step = inference
