"""Mean, standard deviation, quantiles of Student's t. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import fsum, inf, sqrt

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


@cache
def t_quantile(p: float, degrees: float) -> float:
    """The p-quantile of Student's t; degrees may be fractional.

    Raises: ValueError where p is not between 0 and 1, or degrees are not positive.
    """
    if not 0 < p < 1 or not 0 < degrees < inf:
        raise ValueError(f"Student's t has a quantile for 0 < p < 1 and positive degrees, got {p:g} and {degrees:g}")
    from scipy.special import stdtrit

    return float(stdtrit(degrees, p))
