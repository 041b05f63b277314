"""Bytes as a row of choices: whatever the bytes, they can be made, and small changes of bytes change few of them."""

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Choices"]

T = TypeVar("T")


class Choices:
    """Reads bytes from the front; once they are used up, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def take(self, most: int) -> bytes:
        start, self._place = self._place, min(self._place + most, len(self._data))
        return self._data[start : self._place]

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def number(self, below: int) -> int:
        """Return an integer from 0 to ``below`` - 1."""
        size = max(1, ((below - 1).bit_length() + 7) // 8)
        return int.from_bytes(self.take(size), "little") % below

    def chance(self, one_in: int = 2) -> bool:
        """Return true once in ``one_in`` times, never when the bytes are used up."""
        return self.number(one_in) == 1

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def text(self, most: int) -> str:
        """Return up to ``most`` bytes as text; what is no UTF-8 becomes halves of surrogate pairs."""
        return self.take(self.number(most + 1)).decode("utf-8", "surrogateescape")
