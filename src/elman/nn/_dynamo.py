"""``torch.compile`` looks into our layers, where it breaks the graph at PyTorch's own.

Dynamo breaks it at all that is an instance of ``torch.nn.RNN``, ``GRU`` or ``LSTM``, and ours are. What it finds inside
of them is an operator. And it cannot read how modules say what they are, for which ``vmap`` of a module asks.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from elman.nn._when_imported import when_imported

__all__ = ["let_in", "take_as_constant"]


def take_as_constant(function: Any) -> None:
    """From now on dynamo calls this where it compiles, and looks at what comes back alone."""
    when_imported("torch._dynamo.decorators", lambda of: of.assume_constant_result(function))


def let_in(layers: type) -> None:
    """From now on dynamo takes instances of this class for modules like others."""
    when_imported("torch._dynamo.variables.builder", lambda builder: _let_in(builder, layers))


def _let_in(builder: ModuleType, layers: type) -> None:
    cls, config = getattr(builder, "VariableBuilder", None), getattr(builder, "config", None)
    wrap_module: Any = getattr(cls, "wrap_module", None)
    if cls is None or config is None or wrap_module is None or not hasattr(config, "allow_rnn"):
        return  # in a version of PyTorch with other names it breaks the graph, or lets all of them in

    def wrap(self: Any, value: Any) -> Any:
        if not isinstance(value, layers) or config.allow_rnn:
            return wrap_module(self, value)
        with config.patch(allow_rnn=True):
            return wrap_module(self, value)

    cls.wrap_module = wrap
