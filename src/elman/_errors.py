"""What a person can mend: their file, their folder, their options."""

__all__ = ["InputError", "OptionError"]


class InputError(ValueError):
    """Input that cannot be used. The message is one line: place, what was expected, what came."""


class OptionError(InputError):
    """An option that cannot be used.

    Args:
        option: its name as a Python argument.
        expected: what it may be.
        got: what it was.
    """

    def __init__(self, option: str, expected: str, got: object) -> None:
        super().__init__(f"{option}: expected {expected}, got {got!r}")
        self.option = option
