"""Quantiles of Student's t without scipy, whose import takes longer than most tables. torch-free."""

from __future__ import annotations

from functools import cache
from math import exp, inf, isfinite, lgamma, log, nextafter

_TINY = 1e-300


@cache
def t_quantile(p: float, degrees: float) -> float:
    """The p-quantile of Student's t; degrees may be fractional.

    The t whose upper tail P(T > t) = I_x(ν/2, 1/2)/2, x = ν/(ν + t²), is 1 − p, by bisection down to the last digit.
    Raises: ValueError where p is not between 0 and 1, or degrees are not positive.
    """
    if not 0 < p < 1 or not 0 < degrees < inf:
        raise ValueError(f"Student's t has a quantile for 0 < p < 1 and positive degrees, got {p:g} and {degrees:g}")
    if p <= 0.5:
        return -t_quantile(1 - p, degrees) if p < 0.5 else 0.0
    low, high = 0.0, 1.0
    while _upper_tail(high, degrees) > 1 - p:
        low, high = high, 2 * high
    while isfinite(high) and nextafter(low, inf) < high and (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _upper_tail(middle, degrees) > 1 - p else (low, middle)
    return high


def _upper_tail(t: float, degrees: float) -> float:
    """P(T > t) for t ≥ 0. Of the two forms of the incomplete beta function, the one that converges fast."""
    a, b = degrees / 2, 0.5
    x, y = degrees / (degrees + t * t), t * t / (degrees + t * t)
    if y == 0:
        return 0.5
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a / 2
    return (1 - front * _fraction(b, a, y) / b) / 2


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's rule.

    Source: Didonato & Morris 1992, ACM TOMS 18:360–373; NIST DLMF 8.17.22.
    """
    c, d = 1.0, 1 / _kept(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _kept(1 + term * d)
            c = _kept(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return found


def _kept(value: float) -> float:
    """The value, kept from zero."""
    return value if abs(value) > _TINY else _TINY
