"""The packages that some commands need and the base install lacks."""

from importlib.util import find_spec
from typing import NamedTuple

__all__ = ["Extra"]


class Extra(NamedTuple):
    """An extra of ours, ``pip install 'elman[name]'``, and those of its packages that a command imports."""

    name: str
    packages: tuple[str, ...]

    def absent(self) -> str | None:
        """Return the first package that is not installed."""
        return next((package for package in self.packages if find_spec(package) is None), None)
