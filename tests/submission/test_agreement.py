"""The interval of a verification: against a slow one, its error rate on honest claims, its power on others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ddbench.result.bits import pack_bits
from ddbench.result.schema import StudentRun
from ddbench.spec.cell import Column
from ddbench.submission.agreement import compare, half_width

N = 400


def students(right: np.ndarray, first: int = 0, column: Column = "equal_steps") -> list[StudentRun]:
    """bool `[s, N]` as records."""
    return [
        StudentRun(
            column=column, network="auto", student=first + i, accuracy=float(row.mean()), n_test=len(row),
            correct=pack_bits([bool(bit) for bit in row]), steps=1, samples_seen=1,
        )
        for i, row in enumerate(right)
    ]  # fmt: skip


def draw(
    rng: np.random.Generator, count: int, items: np.ndarray, spread: float = 0.01, more: float = 0.0
) -> np.ndarray:
    """Students of one set: items have difficulties, students a level of their own, the rest is chance."""
    level = rng.normal(more, spread, (count, 1))
    return rng.random((count, len(items))) < np.clip(items + level, 0, 1)


def difficulties(rng: np.random.Generator) -> np.ndarray:
    return rng.beta(2, 1, N)


@pytest.mark.parametrize(("n", "k"), [(5, 3), (2, 1), (1, 3), (1, 1)])
def test_against_a_slow_one(n: int, k: int) -> None:
    rng = np.random.default_rng(n + k)
    items = difficulties(rng)
    a, b = draw(rng, n, items), draw(rng, k, items)
    level = 0.97
    differences = [sum(float(x) for x in b[:, i]) / k - sum(float(x) for x in a[:, i]) / n for i in range(N)]
    centre = sum(differences) / N
    deviation = (sum((d - centre) ** 2 for d in differences) / (N - 1)) ** 0.5
    slow = stats.t.ppf(0.985, N - 1) * deviation / N**0.5
    if n + k > 2:
        squares = sum((x - a.mean(1).mean()) ** 2 for x in a.mean(1)) + sum(
            (x - b.mean(1).mean()) ** 2 for x in b.mean(1)
        )
        of_students = stats.t.ppf(0.985, n + k - 2) * (squares / (n + k - 2)) ** 0.5 * (1 / n + 1 / k) ** 0.5
        slow = max(slow, of_students)
    assert half_width(students(a), students(b), False, level) == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03])
def test_honest_claims_seldom_disagree(spread: float) -> None:
    rng = np.random.default_rng(int(1000 * spread))
    trials, wrong = 600, 0
    for _ in range(trials):
        items = difficulties(rng)
        (found,) = compare(students(draw(rng, 3, items, spread)), students(draw(rng, 2, items, spread), 3))
        wrong += found.verdict == "disagrees"
    assert wrong <= 14, f"{wrong} of {trials} at 1 %: the chance of 15 or more is 0.0006"


def test_claims_that_are_ten_points_too_high_are_found() -> None:
    rng = np.random.default_rng(5)
    verdicts = []
    for _ in range(60):
        items = difficulties(rng)
        claim, fresh = draw(rng, 5, items, 0.005, more=0.1), draw(rng, 3, items, 0.005)
        verdicts.append(compare(students(claim), students(fresh, 5))[0].verdict)
    assert verdicts.count("disagrees") >= 55


def test_students_that_differ_much_leave_a_claim_open() -> None:
    right = np.zeros((4, N), bool)
    for row, share in zip(right, (0.2, 0.8, 0.3, 0.7)):
        row[: int(share * N)] = True
    (found,) = compare(students(right[:2]), students(right[2:], 2))
    assert found.verdict == "inconclusive"
    assert (found.claimed, found.found, found.students_claimed, found.students_found) == (0.5, 0.5, 2, 2)


def test_one_student_a_side_accuses_nobody() -> None:
    right = np.zeros((2, N), bool)
    right[0] = True
    (found,) = compare(students(right[:1]), students(right[1:], 1))
    assert found.verdict == "inconclusive"


def test_the_same_students_are_compared_with_themselves() -> None:
    rng = np.random.default_rng(1)
    right = draw(rng, 4, difficulties(rng), 0.2)
    (found,) = compare(students(right), students(right[:2]), same=True)
    assert (found.verdict, found.half_width, found.students_claimed) == ("agrees", 0.0, 2)
    (found,) = compare(students(right), students(np.roll(right[:2], 1, 0)), same=True)
    assert found.verdict == "inconclusive"


def test_columns_of_the_same_students_are_one_look() -> None:
    rng = np.random.default_rng(2)
    items = difficulties(rng)
    a, b = draw(rng, 3, items), draw(rng, 3, items)
    one = compare(students(a), students(b))
    both = compare(
        [*students(a), *students(a, column="equal_epochs")], [*students(b), *students(b, column="equal_epochs")]
    )
    other = compare(
        [*students(a), *students(b, column="equal_epochs")], [*students(b), *students(a, column="equal_epochs")]
    )
    assert [c.half_width for c in both] == [one[0].half_width] * 2
    assert other[0].half_width > one[0].half_width


def test_what_cannot_be_compared() -> None:
    right = np.ones((2, N), bool)
    with pytest.raises(ValueError, match="no figure in common"):
        compare(students(right), students(right, column="equal_epochs"))
    with pytest.raises(ValueError, match="tested on 200 and 400 items"):
        compare(students(right), students(right[:, :200]))
