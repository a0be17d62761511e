"""Statistics of accuracies: seeds are the clusters, students of one seed are not independent. torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the half width of its confidence interval; no width where there is one seed only."""

    mean: float
    half_width: float | None
    n_seeds: int
    n_students: int


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


def interval(values_by_seed: Mapping[int, Sequence[float]], confidence: float = CONFIDENCE) -> Interval:
    """Mean over seeds of the students' means, with Student's t on G − 1 degrees of freedom over the G seeds.

    Every seed weighs the same, however many students it has. One seed says nothing about the spread between seeds, so
    its interval has no width.

    Raises: ValueError where there is no seed, or a seed without students.
    """
    centres = [mean(values) for values in values_by_seed.values()]
    students = sum(len(values) for values in values_by_seed.values())
    G = len(centres)
    half = t_quantile((1 + confidence) / 2, G - 1) * sd(centres) / sqrt(G) if G > 1 else None
    return Interval(mean(centres), half, G, students)


def t_quantile(p: float, degrees: int) -> float:
    """The p-quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, p))
