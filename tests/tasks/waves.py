"""Sequences of two kinds to train on: what a pendulum does, slow or fast, in two channels of different scale."""

import numpy as np

CHANNELS = 2


def wave(place, *, fast):
    """Return (steps, 2) values: some 20 steps of a swing and its speed."""
    generator = np.random.default_rng([place, fast])
    phase = (1.1 if fast else 0.3) * np.arange(generator.integers(12, 30)) + generator.uniform(0, 6)
    return np.stack([np.sin(phase), 1000 + 300 * np.cos(phase)], 1) + generator.normal(0, [0.1, 30], (len(phase), 2))


SEQUENCES = [wave(place, fast=place % 2 == 1) for place in range(48)]
KINDS = ["slow", "fast"] * 24
EQUAL = np.stack([sequence[:12] for sequence in SEQUENCES])
