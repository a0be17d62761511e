"""Scores against closed forms and, for the area, against a fine sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.stats import area_under_log_bytes, augmentation_robust_score, gain, label_robust_score, recovery

shares = st.floats(0, 1)
sizes = st.integers(1, 10_000)


def slow_area(points: list[tuple[int, float]], low: float, high: float, floor: float) -> float:
    known = sorted(points)
    at = np.linspace(math.log(low), math.log(high), 200_001)
    middle = (at[1:] + at[:-1]) / 2
    return float(np.interp(middle, [math.log(b) for b, _ in known], [a for _, a in known], left=floor).mean())


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(sizes, shares, min_size=1, max_size=6), sizes, st.integers(2, 100), shares)
def test_area_against_a_fine_sum(points: dict[int, float], low: int, times: int, floor: float) -> None:
    found = area_under_log_bytes(points.items(), low, low * times, floor)
    assert found == pytest.approx(slow_area(list(points.items()), low, low * times, floor), abs=1e-4)


def test_area_in_closed_form() -> None:
    """0.5 at 100 bytes, 0.7 at 10,000: the mean on the way is 0.6; a decade below is the floor, one above 0.7."""
    points = [(10_000, 0.7), (100, 0.5)]
    assert area_under_log_bytes(points, 100, 10_000) == pytest.approx(0.6)
    assert area_under_log_bytes(points, 10, 10_000, floor=0.1) == pytest.approx((0.1 + 2 * 0.6) / 3)
    assert area_under_log_bytes(points, 100, 100_000) == pytest.approx((2 * 0.6 + 0.7) / 3)
    assert area_under_log_bytes([(100, 0.5)], 1000, 2000) == pytest.approx(0.5)
    assert area_under_log_bytes([(100, 0.5)], 10, 20, floor=0.1) == pytest.approx(0.1)


@pytest.mark.parametrize("points", [[], [(0, 0.5)], [(10, 0.5), (10, 0.6)], [(10, 71.2)], [(10, math.nan)]])
def test_area_refuses(points: list[tuple[int, float]]) -> None:
    with pytest.raises(ValueError, match=r"different bytes|fractions"):
        area_under_log_bytes(points, 1, 100)
    with pytest.raises(ValueError, match="low < high"):
        area_under_log_bytes([(10, 0.5)], 100, 100)


def test_recovery() -> None:
    assert recovery(0.6, 0.4, 0.9) == pytest.approx(0.4)
    assert recovery(0.3, 0.4, 0.9) == pytest.approx(-0.2)
    assert recovery(0.6, 0.5, 0.5) is None
    with pytest.raises(ValueError, match="fractions"):
        recovery(60, 40, 90)


def test_gain_is_paired_over_common_seeds() -> None:
    found = gain({0: [0.5, 0.7], 1: [0.8], 2: [0.9]}, {0: [0.5], 1: [0.7], 3: [0.1]})
    assert found is not None
    assert (found.mean, found.n_pairs, found.n_cells) == (pytest.approx(0.1), 2, 1)
    assert gain({0: [0.5]}, {1: [0.5]}) is None


@pytest.mark.parametrize(
    ("alpha", "score"), [(-1, 0), (-0.5, 0.1015), (0, 0.2689), (0.25, 0.3898), (0.5, 0.5449), (1, 1)]
)
def test_dd_ranking_check_values(alpha: float, score: float) -> None:
    """α = IOR with w = 1 where it is positive, −HLR with w = 0 where it is negative."""
    lrs = label_robust_score(0, 0, alpha, 0, 1) if alpha >= 0 else label_robust_score(-alpha, 0, 0, 0, 0)
    ars = augmentation_robust_score(max(alpha, 0), max(-alpha, 0), max(alpha, 0), max(-alpha, 0))
    assert (lrs, ars) == pytest.approx((score, score), abs=5e-5)


def test_dd_ranking_weights() -> None:
    alpha = 0.5 * (0.6 - 0.4) - 0.5 * (0.9 - 0.5)
    expected = (math.exp(alpha) - math.exp(-1)) / (math.e - math.exp(-1))
    assert label_robust_score(0.9, 0.5, 0.6, 0.4) == pytest.approx(expected)
    beta = 0.25 * 0.2 + 0.75 * (-0.1)
    expected = (math.exp(beta) - math.exp(-1)) / (math.e - math.exp(-1))
    assert augmentation_robust_score(0.6, 0.4, 0.3, 0.4, weight=0.25) == pytest.approx(expected)
    with pytest.raises(ValueError, match="fractions"):
        label_robust_score(90, 50, 60, 40)
