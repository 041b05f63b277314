"""elman: Elman recurrent networks on an engine of their own.

``elman.nn`` holds the PyTorch layers ``RNN``, ``GRU``, ``LSTM``, their cells and ``Linear``, and ``elman.cells`` cells
of one's own; ``elman.runtime`` runs trained models on NumPy alone; ``elman.tasks`` trains models on a person's own
data. Importing ``elman`` imports neither PyTorch nor anything else that is optional; NumPy and the engine are imported
when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from elman._errors import InputError

if TYPE_CHECKING:
    from elman import cells as cells
    from elman import nn as nn
    from elman import runtime
    from elman import tasks as tasks
    from elman.runtime._memory import release_memory
    from elman.runtime._saving import load, save
    from elman.runtime._threads import get_num_threads, set_num_threads

    __version__: str

__all__ = [
    "InputError",
    "__version__",
    "get_num_threads",
    "load",
    "release_memory",
    "runtime",
    "save",
    "set_num_threads",
]

_MODULES = ("cells", "nn", "runtime", "tasks")
_LATER = {
    "load": "_saving",
    "save": "_saving",
    "get_num_threads": "_threads",
    "set_num_threads": "_threads",
    "release_memory": "_memory",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"elman.{name}")
    if name in _LATER:
        return getattr(import_module(f"elman.runtime.{_LATER[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("elman")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
