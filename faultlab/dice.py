"""Chance that is the same in every run, so that what it found can be found again."""

import random


def dice(seed: int) -> random.Random:
    """Return dice for the moments of faults."""
    return random.Random(seed)  # noqa: S311 (a moment is no secret)
