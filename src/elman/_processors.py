"""How many processors this process may use."""

import os

__all__ = ["processors"]


def processors() -> int:
    """Return how many there are for it, which may be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
