"""Paired differences: closed forms, every flip spelled out, and simulation under the null hypothesis."""

from __future__ import annotations

import itertools
import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, ttest_1samp

from ddbench.stats import matched, paired_bootstrap, paired_difference, sign_flip_p
from ddbench.stats.paired import PairedDifference

tenths = st.integers(-10, 10).map(lambda i: i / 10)


def slow_p(cells: list[list[float]]) -> float:
    """The share of all ways to flip, one after the other."""
    flat = [(c, d) for c, found in enumerate(cells) for d in found]

    def statistic(signs: tuple[int, ...]) -> float:
        means = [fmean(s * d for s, (at, d) in zip(signs, flat) if at == c) for c in range(len(cells))]
        return abs(fmean(means))

    found = statistic((1,) * len(flat))
    ways = [statistic(signs) >= found - 1e-9 for signs in itertools.product((1, -1), repeat=len(flat))]
    return sum(ways) / len(ways)


def of(cells: list[list[float]]) -> PairedDifference:
    return paired_difference({c: {g: ([d], [0.0]) for g, d in enumerate(found)} for c, found in enumerate(cells)})


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(tenths, min_size=1, max_size=4), min_size=1, max_size=3))
def test_p_value_against_every_flip(cells: list[list[float]]) -> None:
    p, least = sign_flip_p(cells)
    assert p == pytest.approx(slow_p(cells))
    assert least == 2.0 ** (1 - sum(map(len, cells)))
    assert p >= least


def test_one_cell_is_the_paired_t_interval() -> None:
    differences = [0.02, 0.05, 0.01, 0.04]
    found = of([differences])
    low, high = ttest_1samp(differences, 0).confidence_interval()
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))
    assert (found.p_value, found.least_p, found.n_cells, found.n_pairs) == (0.125, 0.125, 1, 4)


def test_equal_spreads_of_two_cells_give_twice_the_degrees() -> None:
    """Two cells with the same variance and G seeds: Satterthwaite's degrees are 2(G − 1)."""
    cells = [[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]]
    found = of(cells)
    assert found.mean == pytest.approx(0.4)
    assert found.half_width == pytest.approx(2.776445105 * math.sqrt(0.01 / 3 / 2))


def test_students_are_averaged_first() -> None:
    found = paired_difference({"c": {0: ([0.5, 0.7], [0.5]), 1: ([0.9], [0.7, 0.8, 0.9])}})
    assert found.mean == pytest.approx(0.1)
    assert found.half_width == pytest.approx(0, abs=1e-12)
    assert (found.p_value, found.least_p, found.n_pairs) == (0.5, 0.5, 2)


def test_no_width_where_a_cell_has_one_seed() -> None:
    found = of([[0.1, 0.2], [0.3]])
    assert found.half_width is None
    assert found.is_apart is None
    assert found.least_p == 0.25
    assert of([[0.0, 0.0]]).is_apart is False


def test_many_pairs_are_drawn_at_random_and_say_so() -> None:
    rng = np.random.default_rng(3)
    exact, drawn = (rng.normal(0.1, 0.5, n).tolist() for n in (36, 37))
    assert sign_flip_p([exact])[1] == 2.0**-35
    p, least = sign_flip_p([drawn])
    assert least == 1 / 100_001
    assert p == sign_flip_p([drawn])[0]
    # one pair that is zero leaves all ways as they are: what was counted with 36 is drawn with 37
    assert sign_flip_p([[*exact, 0.0]])[0] == pytest.approx(sign_flip_p([[d * 36 / 37 for d in exact]])[0], abs=0.01)


def test_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(5)
    found = [sign_flip_p(rng.normal(0, [[1.0], [3.0]], (2, 6)).tolist())[0] for _ in range(600)]
    share = np.mean(np.array(found) <= 0.05)
    uniform = kstest(found, "uniform")
    print(f"share of p ≤ 0.05 under the null: {share:.3f}; distance from uniform: {uniform.statistic:.3f}")
    assert uniform.pvalue > 0.01
    assert share == pytest.approx(0.05, abs=0.025)


@pytest.mark.parametrize(("cells", "seeds"), [(1, 3), (4, 3), (6, 5)])
def test_coverage_in_simulation(cells: int, seeds: int) -> None:
    """Cells differ in their true difference and in their spread, up to threefold."""
    rng = np.random.default_rng(9)
    rounds, hits = 1000, 0
    for _ in range(rounds):
        true, spread = rng.normal(0.02, 0.05, cells), rng.uniform(0.01, 0.03, cells)
        found = of([rng.normal(t, s, seeds).tolist() for t, s in zip(true, spread)])
        hits += abs(found.mean - true.mean()) <= (found.half_width or 0)
    print(f"coverage of the paired interval, {cells} cells, {seeds} seeds: {hits / rounds:.3f}")
    assert 0.93 < hits / rounds < 0.98


def test_bootstrap_of_many_seeds_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(0.03, 0.02, 400)
    low, high = paired_bootstrap({0: {g: ([v], [0.0]) for g, v in enumerate(values.tolist())}}, seed=4)
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 10)


def test_bootstrap_draws_cells_too() -> None:
    """Two cells without spread, at 0 and 1: their mean is 0, ½ or 1 with chances ¼, ½, ¼."""
    pairs = {c: {g: ([float(c)], [0.0]) for g in range(3)} for c in (0, 1)}
    assert paired_bootstrap(pairs) == (0.0, 1.0)
    assert paired_bootstrap(pairs, confidence=0.3) == (0.5, 0.5)
    assert paired_bootstrap({1: pairs[1]}) == (1.0, 1.0)


def test_nothing_and_nonsense_are_errors() -> None:
    for call in (paired_difference, paired_bootstrap):
        for wrong, why in (({}, "no pair"), ({0: {}}, "no pair"), ({0: {0: ([math.nan], [0.5])}}, "not a finite")):
            with pytest.raises(ValueError, match=why):
                call(wrong)


def test_matched_keeps_common_seeds() -> None:
    assert matched({0: [0.1], 2: [0.2]}, {2: [0.3], 4: [0.4]}) == {2: ([0.2], [0.3])}
