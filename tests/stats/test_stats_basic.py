"""Intervals against closed forms."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.stats import interval, mean, sd, t_quantile

shares = st.floats(0, 1)


@given(st.lists(shares, min_size=2, max_size=30))
def test_mean_and_sd(values: list[float]) -> None:
    assert mean(values) == pytest.approx(statistics.fmean(values), abs=1e-12)
    assert sd(values) == pytest.approx(statistics.stdev(values), abs=1e-12)


@pytest.mark.parametrize(("degrees", "closed"), [(1, lambda p: math.tan(math.pi * (p - 0.5))), (2, None)])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.995])
def test_t_quantile(degrees: int, closed: object, p: float) -> None:
    """Degrees 1 and 2 have closed forms: tan(π(p − ½)) and 2(p − ½)·√(2 / (4p(1 − p)))."""
    expected = closed(p) if callable(closed) else 2 * (p - 0.5) * math.sqrt(2 / (4 * p * (1 - p)))
    assert t_quantile(p, degrees) == pytest.approx(expected, rel=1e-9)


def test_interval_of_two_seeds() -> None:
    """Two clusters a and b: half width t₁ · |a − b| / 2."""
    found = interval({0: [0.5, 0.7], 5: [0.8]})
    assert found.mean == pytest.approx(0.7)
    assert found.half_width == pytest.approx(math.tan(math.pi * 0.475) * 0.1)
    assert (found.n_seeds, found.n_students) == (2, 3)


def test_one_seed_has_no_width_however_many_students() -> None:
    found = interval({3: [0.1, 0.2, 0.3, 0.4]})
    assert found.half_width is None
    assert found.mean == pytest.approx(0.25)
    assert (found.n_seeds, found.n_students) == (1, 4)


@given(st.lists(shares, min_size=2, max_size=6), st.integers(1, 5))
def test_copies_of_a_student_add_nothing(centres: list[float], copies: int) -> None:
    one = interval({i: [c] for i, c in enumerate(centres)})
    many = interval({i: [c] * copies for i, c in enumerate(centres)})
    assert many.mean == pytest.approx(one.mean, abs=1e-12)
    assert many.half_width == pytest.approx(one.half_width, abs=1e-9)


def test_nothing_is_an_error() -> None:
    for call in (lambda: mean([]), lambda: sd([1.0]), lambda: interval({}), lambda: interval({0: []})):
        with pytest.raises(ValueError, match=r"no values|two values"):
            call()


@pytest.mark.parametrize(("p", "degrees"), [(0, 3), (1, 3), (0.9, 0), (0.9, -1), (0.9, math.nan), (math.nan, 2)])
def test_no_quantile(p: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="Student's t has a quantile"):
        t_quantile(p, degrees)
    assert t_quantile(0.5, 3) == 0
