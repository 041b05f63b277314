"""elman: Elman recurrent networks on an engine of their own.

``elman.nn`` holds the PyTorch layers ``RNN`` and ``RNNCell``; ``elman.tasks`` trains models on a person's
own data. Importing ``elman`` itself imports neither PyTorch nor anything else that is optional.
"""

from importlib.metadata import version as _version

__version__ = _version("elman")

__all__ = ["__version__"]
