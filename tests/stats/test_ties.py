"""Tie groups: rows that paired differences tell apart though their own intervals overlap, and the other way round."""

from __future__ import annotations

import numpy as np

from ddbench.stats import interval, tie_groups


def row(*accuracies: float) -> dict[int, list[float]]:
    return {seed: [a] for seed, a in enumerate(accuracies)}


def test_pairs_tell_apart_what_overlaps() -> None:
    """Seeds differ by ten points, the second row loses exactly one or so on each."""
    best, second = row(0.5, 0.6, 0.7), row(0.489, 0.59, 0.691)
    overlap = interval(best).half_width or 0
    assert abs(interval(best).mean - interval(second).mean) < overlap
    assert tie_groups([second, best]) == [2, 1]


def test_ties_are_with_the_leader_of_a_group() -> None:
    lead, near, far = row(0.70, 0.72, 0.71), row(0.71, 0.70, 0.70), row(0.50, 0.51, 0.52)
    farther = row(0.51, 0.50, 0.51)
    assert tie_groups([far, near, lead, farther]) == [2, 1, 1, 2]


def test_a_noisy_row_ties_although_a_better_one_does_not() -> None:
    lead, steady, noisy = row(0.70, 0.70, 0.70), row(0.68, 0.681, 0.679), row(0.80, 0.50, 0.65)
    assert tie_groups([lead, steady, noisy]) == [1, 2, 1]


def test_equal_rows_tie() -> None:
    assert tie_groups([row(0.5, 0.6), row(0.5, 0.6)]) == [1, 1]


def test_rows_without_pairs_have_no_group() -> None:
    single, elsewhere = {0: [0.9]}, {7: [0.5], 8: [0.6]}
    assert tie_groups([single, row(0.7, 0.8), elsewhere, {}]) == [None, 1, None, None]
    assert tie_groups([single]) == [None]
    assert tie_groups([]) == []


def test_equal_rows_are_rarely_told_apart() -> None:
    """Of two rows with one distribution, five seeds: apart in about 5 % of 1,000 tables."""
    draw = np.random.default_rng(2)
    apart = sum(
        max(g or 0 for g in tie_groups([row(*draw.normal(0.7, 0.02, 5)) for _ in range(2)])) for _ in range(1000)
    )
    assert 0.03 < apart / 1000 - 1 < 0.07
