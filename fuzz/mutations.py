"""Damage without coverage's guidance: for the suite, and for Pythons that have no atheris."""

import random
from collections.abc import Sequence

__all__ = ["mutate"]


def mutate(generator: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Return one of the corpus with a few of its bytes changed, left out, doubled, or another's put in."""
    data = bytearray(generator.choice(corpus))
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        place = generator.randint(0, len(data))
        length = generator.choice((1, 1, 2, 4, 8, 64))
        kind = generator.randrange(5)
        if kind == 0:
            data[place : place + 1] = bytes([generator.randrange(256)])
        elif kind == 1:
            data[place:place] = generator.randbytes(length)
        elif kind == 2:
            del data[place : place + length]
        elif kind == 3:
            data[place:place] = data[max(0, place - length) : place]
        else:
            other = generator.choice(corpus)
            start = generator.randint(0, len(other))
            data[place:place] = other[start : start + length]
    return bytes(data)
