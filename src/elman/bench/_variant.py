"""What a contender's file gives: one way or several of doing a problem, of which the fastest is timed."""

import timeit
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

from elman.bench._problem import Results

__all__ = ["Variant"]


class Variant(NamedTuple):
    """A way of doing a problem.

    Attributes:
        name: what sets it apart from the contender's other ways.
        call: does it once.
        read: turns what ``call`` returned into results by name.
        within: what is entered around many calls, outside of the time.
        loop: does it so many times, for what is no Python library; None: calls from Python.
    """

    name: str
    call: Callable[[], Any]
    read: Callable[[Any], Results]
    within: Callable[[], AbstractContextManager[Any]] = nullcontext
    loop: Callable[[int], object] | None = None

    def seconds(self, calls: int) -> float:
        """Return the seconds of one call, the mean of so many."""
        if self.loop:
            return timeit.timeit(partial(self.loop, calls), number=1) / calls
        return timeit.timeit(self.call, number=calls) / calls
