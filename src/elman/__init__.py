"""elman: Elman recurrent networks on an engine of their own.

``elman.nn`` holds the PyTorch layers ``RNN``, ``RNNCell`` and ``Linear``; ``elman.runtime`` runs trained models on
NumPy alone; ``elman.tasks`` trains models on a person's own data. Importing ``elman`` imports neither PyTorch nor
anything else that is optional.
"""

from typing import Any

from elman import runtime
from elman._errors import InputError
from elman.runtime._saving import load, save
from elman.runtime._threads import get_num_threads, set_num_threads

__all__ = ["InputError", "__version__", "get_num_threads", "load", "runtime", "save", "set_num_threads"]


def __getattr__(name: str) -> Any:
    if name == "__version__":  # reading the installed package's metadata takes as long as all the rest
        from importlib.metadata import version

        return version("elman")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
