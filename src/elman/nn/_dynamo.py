"""``torch.compile`` looks into ours, where it breaks the graph at every instance of ``torch.nn.RNN``, ``GRU`` and ``LSTM``.

Dynamo asks what a module is an instance of, and ours are such instances. What it finds inside is an operator.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["let_in"]

_BUILDER = "torch._dynamo.variables.builder"


def let_in(layers: type) -> None:
    """From now on, or from when dynamo is imported on: at the first compilation."""
    if _BUILDER in sys.modules:
        _let_in(sys.modules[_BUILDER], layers)
    else:
        sys.meta_path.insert(0, _WhenImported(lambda module: _let_in(module, layers)))  # type: ignore[arg-type]


def _let_in(builder: ModuleType, layers: type) -> None:
    """Where a version of PyTorch has no such names, it breaks the graph as at its own layers, or it does not."""
    cls, config = getattr(builder, "VariableBuilder", None), getattr(builder, "config", None)
    wrap_module: Any = getattr(cls, "wrap_module", None)
    if cls is None or wrap_module is None or not hasattr(config, "allow_rnn"):
        return

    def wrapped(self: Any, value: Any) -> Any:
        if isinstance(value, layers) and not config.allow_rnn:
            with config.patch(allow_rnn=True):
                return wrap_module(self, value)
        return wrap_module(self, value)

    cls.wrap_module = wrapped


class _WhenImported:
    """Of ``sys.meta_path``: what shall be done once dynamo is there, whose import takes a second."""

    def __init__(self, then: Callable[[ModuleType], None]) -> None:
        self.then = then

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != _BUILDER:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_then(module: ModuleType) -> None:
                execute(module)
                self.then(module)

            spec.loader.exec_module = execute_then  # type: ignore[method-assign]
        return spec
