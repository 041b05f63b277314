"""The targets by name: each a module with ``run(data)``, which raises whatever breaks the rule, and ``seeds()``."""

from importlib import import_module
from types import ModuleType

__all__ = ["NAMES", "load_target"]

NAMES = ("model_folder", "tensor_file", "table", "series", "arrays", "text", "onnx_model")


def load_target(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")
