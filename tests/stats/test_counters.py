"""Counts of many items at once, against counting them one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ddbench.stats.counters import Counts, counted, product, total

N = 40
Answers = st.lists(st.integers(0, 2**N - 1), max_size=20)


def one_by_one(answers: list[int]) -> list[int]:
    return [sum(answer >> i & 1 for answer in answers) for i in range(N)]


def read(counts: Counts) -> list[int]:
    return [sum((digit >> i & 1) << k for k, digit in enumerate(counts)) for i in range(N)]


@given(Answers, Answers)
def test_sums_and_products(a: list[int], b: list[int]) -> None:
    A, B = counted(a), counted(b)
    assert read(A) == one_by_one(a)
    assert total(A) == sum(one_by_one(a))
    assert product(A, B) == sum(x * y for x, y in zip(one_by_one(a), one_by_one(b)))


def test_digits_are_no_more_than_the_count_needs() -> None:
    assert [len(counted([1] * n)) for n in (0, 1, 2, 3, 4, 7, 8)] == [0, 1, 2, 2, 3, 3, 4]
