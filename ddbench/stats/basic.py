"""Mean and standard deviation. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt

CONFIDENCE = 0.95


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean. Raises: ValueError where there are no values."""
    if not values:
        raise ValueError("the mean of no values is not defined")
    return fsum(values) / len(values)


def sd(values: Sequence[float]) -> float:
    """Sample standard deviation, n − 1 in the denominator. Raises: ValueError where there are fewer than two values."""
    if len(values) < 2:
        raise ValueError(f"a sample standard deviation needs two values, got {len(values)}")
    centre = mean(values)
    return sqrt(fsum((v - centre) ** 2 for v in values) / (len(values) - 1))
