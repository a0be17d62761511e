"""Whether verifying students agree with the claim's: a prediction interval of the difference. torch-free.

Both groups of students learn one set and are tested on one test set; n are the claim's, k are fresh ones. If the claim
is honest, all n + k are draws of one population, and the difference d of the two mean accuracies (found − claimed) has
mean 0. Its interval, at level 1 − α/m for each of the m unlike figures of a result (Bonferroni, α = 1 % for all), is

    d ∈ ± max(h_students, h_items)

* h_students = t(n + k − 2) · s · √(1/n + 1/k), with s the pooled standard deviation of the students' accuracies. It
  holds what differs between trainings: initial weights, order, augmentation.
* h_items = t(N − 1) · s_d / √N over the N test items, with s_d the standard deviation of the items' differences (share
  of fresh students minus share of the claim's that get the item right). It holds test sampling: which items happen to
  be in the test set, and how students guess on those that they are unsure of. The items that are easy or hard for all
  cancel, since both groups meet them.

Where the claim's own students are trained again (`same`), each is compared with itself: n = k, and h_students is
t(k − 1) · s / √k with s the standard deviation of the k differences. Where all bits agree the interval has no width.

The larger one counts: accuracies of few students may agree by luck, and then s is too small, but N items do not.

A figure *agrees* where d lies within its interval and that is at most ± 5 points wide; *disagrees* where d lies
outside; is *inconclusive* where the interval is wider than that (a claim whose students differ so much says little), or
where d lies outside but n + k = 2 tells nothing of how students differ. The result disagrees where any figure does, and
agrees where all do. An honest result is thus called wrong in at most 1 % of verifications.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt

from ddbench.result.bits import bit_array
from ddbench.result.schema import StudentRun
from ddbench.result.verification import Comparison, Verdict
from ddbench.stats import mean, sd, t_quantile

CONFIDENCE = 0.99
DECISIVE = 0.05
"""Widest half width, a fraction, at which being inside it counts as agreement."""

ROUNDING = 1e-12
"""Two means of the same bits, summed in another order, are equal."""

Figure = tuple[str, str, str, str]


def figure_of(run: StudentRun) -> Figure:
    """Which figure of a table a student counts for."""
    return run.column, run.network, run.labels, run.space


def compare(
    claimed: Iterable[StudentRun], found: Iterable[StudentRun], same: bool = False, confidence: float = CONFIDENCE
) -> list[Comparison]:
    """The claim's figures beside those of verifying students, in the claim's order; figures that both have.

    With `same`, students of one index are the same student, and those that only one side has are left out.

    Raises: ValueError where they have nothing in common, or were tested on different numbers of items.
    """
    groups: dict[Figure, tuple[list[StudentRun], list[StudentRun]]] = {}
    for side, runs in enumerate((claimed, found)):
        for run in sorted(runs, key=lambda run: run.student):
            groups.setdefault(figure_of(run), ([], []))[side].append(run)
    if same:
        groups = {figure: _paired(*sides) for figure, sides in groups.items()}
    groups = {figure: (a, b) for figure, (a, b) in groups.items() if a and b}
    if not groups:
        raise ValueError("the claim and the verifying students have no figure in common")
    # columns of one schedule have the same students, to the bit: that is one look at the claim, not two
    unlike = {tuple(run.correct for run in (*a, *b)) for a, b in groups.values()}
    level = 1 - (1 - confidence) / len(unlike)
    return [_compared(a, b, same, level) for a, b in groups.values()]


def _paired(claimed: Sequence[StudentRun], found: Sequence[StudentRun]) -> tuple[list[StudentRun], list[StudentRun]]:
    both = {run.student for run in claimed} & {run.student for run in found}
    return [run for run in claimed if run.student in both], [run for run in found if run.student in both]


def _compared(claimed: Sequence[StudentRun], found: Sequence[StudentRun], same: bool, level: float) -> Comparison:
    first = claimed[0]
    a, b = mean([r.accuracy for r in claimed]), mean([r.accuracy for r in found])
    half = half_width(claimed, found, same, level)
    return Comparison(
        column=first.column,
        network=first.network,
        labels=first.labels,
        space=first.space,
        claimed=a,
        found=b,
        students_claimed=len(claimed),
        students_found=len(found),
        half_width=half,
        verdict=_verdict(b - a, half, len(claimed) + len(found)),
    )


def _verdict(difference: float, half: float, students: int) -> Verdict:
    if abs(difference) > half + ROUNDING:
        return "disagrees" if students > 2 else "inconclusive"
    return "agrees" if half <= DECISIVE else "inconclusive"


def half_width(claimed: Sequence[StudentRun], found: Sequence[StudentRun], same: bool, level: float) -> float:
    """Half width of the interval of one figure's difference, a fraction. Raises: ValueError for unlike test sets."""
    sizes = {run.n_test for run in (*claimed, *found)}
    if len(sizes) > 1:
        raise ValueError(f"students were tested on {' and '.join(map(str, sorted(sizes)))} items")
    of_students = _of_pairs if same else _of_students
    return max(of_students(claimed, found, level), _of_items(claimed, found, level))


def _of_students(claimed: Sequence[StudentRun], found: Sequence[StudentRun], level: float) -> float:
    n, k = len(claimed), len(found)
    if n + k <= 2:
        return 0.0
    groups = [[run.accuracy for run in runs] for runs in (claimed, found)]
    squares = sum((value - mean(group)) ** 2 for group in groups for value in group)
    return t_quantile((1 + level) / 2, n + k - 2) * sqrt(squares / (n + k - 2) * (1 / n + 1 / k))


def _of_pairs(claimed: Sequence[StudentRun], found: Sequence[StudentRun], level: float) -> float:
    differences = [b.accuracy - a.accuracy for a, b in zip(claimed, found)]
    k = len(differences)
    return t_quantile((1 + level) / 2, k - 1) * sd(differences) / sqrt(k) if k > 1 else 0.0


def _of_items(claimed: Sequence[StudentRun], found: Sequence[StudentRun], level: float) -> float:
    import numpy as np

    shares = [np.mean([bit_array(r.correct, r.n_test) for r in runs], axis=0) for runs in (claimed, found)]
    difference = shares[1] - shares[0]
    items = len(difference)
    if items < 2:
        return 1.0
    return t_quantile((1 + level) / 2, items - 1) * float(difference.std(ddof=1)) / sqrt(items)
