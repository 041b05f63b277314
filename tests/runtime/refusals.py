"""What a person is told when a file cannot be used."""

import pytest

from elman._errors import InputError


def refusal(function, *arguments, **options):
    """The one line in which a call is refused."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message
