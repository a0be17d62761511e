"""Stratified draws: exact counts, right classes, independence of everything but the seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.datasets.stratify import stratified

PINNED = [[6, 8, 10], [3, 11]]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.data())
def test_counts_classes_and_order(labels, data):
    have = Counter(labels)
    per_class = [data.draw(st.integers(0, have[k])) for k in range(4)]
    chosen = stratified(labels, per_class, seed=data.draw(st.integers(0, 2**63 - 1)))
    for k, rows in enumerate(chosen):
        assert len(set(rows)) == per_class[k]
        assert rows == sorted(rows)
        assert all(labels[i] == k for i in rows)


def test_the_draw_is_pinned():
    # Literals: the embedded file and the published splits depend on these very rows.
    assert stratified([0, 1] * 6, [3, 2], seed=7) == PINNED
    assert stratified([0, 1] * 6, [3, 2], seed=8) != PINNED


def test_every_item_is_as_likely_as_any_other():
    drawn = Counter(i for seed in range(2000) for i in stratified([0] * 5, [2], seed)[0])
    # 2000 draws of 2 in 5: mean 800, standard deviation 22.
    assert all(abs(drawn[i] - 800) < 5 * 22 for i in range(5))


def test_more_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="class 1 has 1 items, 2 were asked for"):
        stratified([0, 1], [1, 2], seed=0)
