"""Scores made of accuracies: gain, recovery, area under accuracy against log-bytes, DD-Ranking's. torch-free.

Accuracies are fractions in [0, 1] throughout; percent are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import exp, log

from ddbench.stats.basic import CONFIDENCE
from ddbench.stats.paired import Difference, difference
from ddbench.stats.pairs import differences, matched


def gain(
    row: Mapping[int, Sequence[float]], reference: Mapping[int, Sequence[float]], confidence: float = CONFIDENCE
) -> Difference | None:
    """How much better a row is than its reference, paired over the seeds that both have; None where they share none.

    With `random` as reference the gain holds what codec and learning add; with `random` through the row's own codec,
    learning alone.
    """
    common = matched(row, reference)
    return difference(differences({None: common}), confidence) if common else None


def recovery(accuracy: float, random: float, full: float) -> float | None:
    """The share of the gap between `random` and the whole dataset that a row closes: (row − random) / (full − random).

    Below 0 for a row worse than `random`, above 1 for one better than the whole dataset; None where there is no gap.
    """
    _check(accuracy, random, full)
    return (accuracy - random) / (full - random) if full > random else None


def area_under_log_bytes(
    points: Iterable[tuple[float, float]], low_bytes: float, high_bytes: float, floor: float = 0.0
) -> float:
    """Mean accuracy over the logarithm of bytes from `low_bytes` to `high_bytes`, from points (bytes, accuracy).

    Between two points accuracy is linear in log-bytes. Beyond the largest point it stays as it is, since a set fits a
    larger budget too; below the smallest it is `floor` (chance is 1/K), since nothing shows that the row can do with so
    few bytes. So a missing budget is filled in from its neighbours, and at the low end it costs. Only scores with the
    same ends and the same floor may be compared.

    Raises: ValueError where there is no point, two have the same bytes, or a number is out of range.
    """
    curve = sorted(points)
    _check(floor, *(accuracy for _, accuracy in curve))
    if not curve or curve[0][0] <= 0 or len({size for size, _ in curve}) < len(curve):
        raise ValueError("the area needs points with positive, different bytes")
    if not 0 < low_bytes < high_bytes:
        raise ValueError(f"the area needs 0 < low < high, got {low_bytes:g} and {high_bytes:g}")
    low, high = log(low_bytes), log(high_bytes)
    known = [(log(size), accuracy) for size, accuracy in curve]
    first, last = known[0][0], known[-1]
    area = floor * max(0.0, min(high, first) - low) + last[1] * max(0.0, high - max(low, last[0]))
    for (x0, y0), (x1, y1) in pairwise(known):
        a, b = max(x0, low), min(x1, high)
        if b > a:
            slope = (y1 - y0) / (x1 - x0)
            area += (b - a) * (y0 + slope * ((a + b) / 2 - x0))
    return area / (high - low)


def label_robust_score(
    real_hard: float, row_hard: float, row_own: float, random_own: float, weight: float = 0.5
) -> float:
    """LRS of DD-Ranking, in [0, 1]: (e^α − e⁻¹) / (e − e⁻¹), α = w·IOR − (1 − w)·HLR.

    HLR = accuracy of the whole dataset − of the row, both with hard labels; IOR = of the row by its own recipe − of a
    random subset of equal size by the same recipe.
    Source: arXiv 2505.13300.
    """
    _check(real_hard, row_hard, row_own, random_own, weight)
    return _squashed(weight * (row_own - random_own) - (1 - weight) * (real_hard - row_hard))


def augmentation_robust_score(
    row_augmented: float, random_augmented: float, row_plain: float, random_plain: float, weight: float = 0.5
) -> float:
    """ARS of DD-Ranking, in [0, 1]: LRS's map of β = γ·(row − random, with augmentation) + (1 − γ)·(…, without).

    Source: arXiv 2505.13300.
    """
    _check(row_augmented, random_augmented, row_plain, random_plain, weight)
    return _squashed(weight * (row_augmented - random_augmented) + (1 - weight) * (row_plain - random_plain))


def _squashed(value: float) -> float:
    """[−1, 1] → [0, 1]"""
    return (exp(value) - exp(-1)) / (exp(1) - exp(-1))


def _check(*shares: float) -> None:
    """Raises: ValueError where a number is no fraction."""
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"accuracies and weights are fractions in [0, 1], got {share:g}")
