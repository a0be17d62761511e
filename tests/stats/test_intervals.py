"""Intervals with test sampling: against a slow version, and by simulation of rows whose true accuracy is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from ddbench.result.bits import pack_bits, right_answers
from ddbench.stats import Interval, interval, sampled_interval

SEED_SD, STUDENT_SD, ITEM_SD, LEVEL = 0.15, 0.1, 1.0, 0.6
"""Of a probit model: a student is right where level + seed + student + item + noise > 0."""


def slow(correct: list[list[list[bool]]]) -> tuple[float, float, float]:
    """(V_seeds, V_items, V_rest) by the sums of squares of a two-way table, in plain loops."""
    p = [[sum(s[i] for s in students) / len(students) for i in range(len(students[0]))] for students in correct]
    G, N = len(p), len(p[0])
    rows = [sum(r) / N for r in p]
    columns = [sum(p[g][i] for g in range(G)) / G for i in range(N)]
    centre = sum(rows) / G
    seeds = sum((r - centre) ** 2 for r in rows) / (G - 1) / G
    items = sum((c - centre) ** 2 for c in columns) / (N - 1) / N
    rest = sum((p[g][i] - rows[g] - columns[i] + centre) ** 2 for g in range(G) for i in range(N))
    return seeds, items, rest / (G - 1) / (N - 1) / G / N


def sampled(correct: Sequence[Sequence[np.ndarray]]) -> Interval:
    """Of right answers as arrays, by seed, written as results hold them."""
    N = len(correct[0][0])
    return sampled_interval([[right_answers(pack_bits(s.tolist()), N) for s in some] for some in correct], N)


def made_up(draw: np.random.Generator, students: Sequence[int], N: int) -> list[list[np.ndarray]]:
    seeds, items = draw.normal(0, SEED_SD, len(students)), draw.normal(0, ITEM_SD, N)
    return [
        [LEVEL + seed + draw.normal(0, STUDENT_SD) + items + draw.normal(0, 1, N) > 0 for _ in range(S)]
        for seed, S in zip(seeds, students)
    ]


@pytest.mark.parametrize(
    ("students", "N"),
    [([1, 1], 31), ([2] * 3, 40), ([3] * 5, 17), ([5] * 3, 400), ([300] * 4, 10), ([1, 2, 6], 77), ([4, 3], 1000)],
)
def test_parts_against_a_slow_version(students: list[int], N: int) -> None:
    G = len(students)
    correct = made_up(np.random.default_rng(G), students, N)
    seeds, items, rest = slow([[s.tolist() for s in some] for some in correct])
    found = sampled(correct)
    assert (found.n_seeds, found.n_students) == (G, sum(students))
    t_seeds, t_items = student_t.ppf(0.975, G - 1), student_t.ppf(0.975, N - 1)
    both = math.sqrt(t_seeds**2 * seeds + t_items**2 * max(0.0, items - rest))
    assert found.half_width == pytest.approx(t_seeds * math.sqrt(seeds))
    assert found.half_width_test == pytest.approx(t_items * math.sqrt(items))
    assert found.half_width_both == pytest.approx(both)


def test_seed_part_is_that_of_accuracies() -> None:
    correct = made_up(np.random.default_rng(0), [3] * 4, 50)
    bits = sampled(correct)
    shares = interval({g: [float(s.mean()) for s in students] for g, students in enumerate(correct)})
    assert (bits.mean, bits.half_width) == pytest.approx((shares.mean, shares.half_width))
    assert (bits.n_seeds, bits.n_students) == (shares.n_seeds, shares.n_students)


def test_one_seed_has_the_binomial_width_and_no_other() -> None:
    """One student, N items, share p right: √(p(1 − p) / (N − 1)); 500 items at 0.5 are 2.2 points of standard error."""
    found = sampled([[np.arange(500) % 2 == 0]])
    assert found.half_width is None
    assert found.half_width_both is None
    assert found.half_width_test == pytest.approx(student_t.ppf(0.975, 499) * math.sqrt(0.25 / 499))
    assert math.sqrt(0.25 / 500) == pytest.approx(0.0224, abs=1e-4)


def test_seeds_that_agree_leave_only_the_items() -> None:
    right = np.arange(100) % 3 == 0
    found = sampled([[right], [right]])
    assert found.half_width == pytest.approx(0)
    # both answer alike, so the second says nothing new of the items
    assert found.half_width_both == pytest.approx(student_t.ppf(0.975, 99) * math.sqrt(right.var(ddof=1) / 100))


def test_wrong_shapes_are_errors() -> None:
    for by_seed, n in (([], 3), ([[]], 3), ([[1], []], 3), ([[0b111], [0b1111]], 3), ([[0]], 0)):
        with pytest.raises(ValueError, match=r"no values|different numbers"):
            sampled_interval(by_seed, n)


def test_one_item_says_nothing_of_others() -> None:
    found = sampled([[np.array([True]), np.array([False])], [np.array([True]), np.array([True])]])
    assert (found.mean, found.half_width_test, found.half_width_both) == (0.75, None, None)


@pytest.mark.parametrize(("G", "N"), [(3, 500), (5, 200)])
def test_coverage_in_simulation(G: int, N: int) -> None:
    """Shares of 800 made-up rows whose interval holds the truth it is about; a share's standard error is 0.8 points.

    Truths in closed form, Φ being the normal distribution: over seeds and items Φ(level / √(1 + σ²…)); over seeds for
    the items at hand, the mean of Φ over these; over items for the students at hand, the mean of Φ over those.
    """
    draw = np.random.default_rng(11)
    S, rounds = 3, 800
    hits = np.zeros(3)
    for _ in range(rounds):
        seeds, items = draw.normal(0, SEED_SD, (G, 1)), draw.normal(0, ITEM_SD, N)
        levels = LEVEL + seeds + draw.normal(0, STUDENT_SD, (G, S))
        # what a student makes of an item is its own for good: drawn once, like its weights
        correct = levels[:, :, None] + items + draw.normal(0, 1, (G, S, N)) > 0
        found = sampled(list(correct))
        spread = SEED_SD**2 + STUDENT_SD**2
        truths = (
            norm.cdf((LEVEL + items) / math.sqrt(1 + spread)).mean(),
            norm.cdf(levels / math.sqrt(1 + ITEM_SD**2)).mean(),
            norm.cdf(LEVEL / math.sqrt(1 + spread + ITEM_SD**2)),
        )
        widths = (found.half_width, found.half_width_test, found.half_width_both)
        hits += [width is not None and abs(found.mean - truth) <= width for width, truth in zip(widths, truths)]
    share = hits / rounds
    print(f"coverage, {G} seeds, {N} items: seeds {share[0]:.3f}, test {share[1]:.3f}, both {share[2]:.3f}")
    assert share[:2] == pytest.approx(0.95, abs=0.025)
    assert 0.94 < share[2] < 0.985  # wider than needed where neither part dominates, and never too short
