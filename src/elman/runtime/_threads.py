"""How many threads the runtime uses."""

import os

from elman import _engine
from elman._processors import processors
from elman.runtime._arrays import as_count

__all__ = ["get_num_threads", "set_num_threads"]

MOST = 4096


def set_num_threads(count: int) -> None:
    """Let networks of :mod:`elman.runtime` use up to ``count`` threads. Results are the same bits with any number.

    At first it is ``ELMAN_NUM_THREADS``, or one for each processor that this process may run on. The PyTorch layers
    of :mod:`elman.nn` go by ``torch.set_num_threads`` instead.

    Raises:
        InputError: it is no integer of at least 1.

    Example:
        >>> import elman
        >>> before = elman.get_num_threads()
        >>> elman.set_num_threads(1)
        >>> elman.get_num_threads()
        1
        >>> elman.set_num_threads(before)
    """
    _engine.set_num_threads(as_count(count, "count", MOST))


def get_num_threads() -> int:
    """Return how many threads networks of :mod:`elman.runtime` may use."""
    return _engine.get_num_threads()


def _at_first() -> int:
    wanted = os.environ.get("ELMAN_NUM_THREADS", "")
    if wanted:
        return as_count(int(wanted) if wanted.isdecimal() else wanted, "ELMAN_NUM_THREADS", MOST)
    return processors()


_engine.set_num_threads(_at_first())
