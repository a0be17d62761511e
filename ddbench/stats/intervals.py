"""Confidence intervals of a row's accuracy: over distillation seeds, over test images, over both. torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum, hypot, lcm, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from ddbench.stats.basic import CONFIDENCE, mean, sd, t_quantile
from ddbench.stats.counters import counted, product, total

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the half widths of its confidence intervals; no width where nothing says how wide."""

    mean: float
    half_width: float | None
    """Over distillation seeds, on these test images: what another set of seeds would give. None for one seed."""
    n_seeds: int
    n_students: int
    half_width_test: float | None = None
    """Over test images, for these stored sets and students: what another test set of this size would give."""
    half_width_both: float | None = None
    """Over seeds and test images together: other seeds, scored on another test set. None for one seed."""


def interval(values_by_seed: Mapping[int, Sequence[float]], confidence: float = CONFIDENCE) -> Interval:
    """Mean over seeds of the students' means, with Student's t on G − 1 degrees of freedom over the G seeds.

    Every seed weighs the same, however many students it has. One seed says nothing about the spread between seeds, so
    its interval has no width.

    Raises: ValueError where there is no seed, or a seed without students.
    """
    centres = [mean(values) for values in values_by_seed.values()]
    students = sum(len(values) for values in values_by_seed.values())
    G = len(centres)
    half = t_quantile((1 + confidence) / 2, G - 1) * sd(centres) / sqrt(G) if G > 1 else None
    return Interval(mean(centres), half, G, students)


def sampled_interval(by_seed: Sequence[Sequence[int]], n: int, confidence: float = CONFIDENCE) -> Interval:
    """The same mean and half width, and those for test sampling, from every student's right and wrong answers.

    `by_seed[g]` holds a whole number a student, with a bit for each of the `n` test items, in one order. Students of a
    seed are averaged item by item; what is left is a two-way table of G seeds × N test items without replication, both
    factors random:

        p_gi = μ + a_g + b_i + e_gi,    Var(mean) = σ_a²/G + σ_b²/N + σ_e²/(GN)

    With V_seeds = Var_g(p_g·)/G, V_items = Var_i(p_·i)/N and V_rest = MS_e/(GN), which each of the two holds once:

    * `half_width`: √V_seeds with t on G − 1 degrees, test items fixed.
    * `half_width_test`: √V_items with t on N − 1 degrees, seeds and students fixed.
    * `half_width_both`: √(t²_{G−1} V_seeds + t²_{N−1} max(0, V_items − V_rest)), the half widths in quadrature, what
      they share counted once. One t on Satterthwaite's degrees for the whole would cover too little with two or three
      seeds, whose spread is poorly known; t on G − 1 degrees far too much where test items dominate.

    With c_gi of S_g students right, p_gi = w_g c_gi / L, where L is a multiple of all S_g and w_g = L / S_g: all sums
    are whole numbers until the last division. Test sets drawn class by class vary a little less than items drawn at
    random, as they are taken to be here.

    Raises: ValueError where there is no seed, a seed without students, no item, or one beyond the last.
    Source: Dorfman, Berbaum & Metz 1992, Investigative Radiology 27:723–731 (readers × cases); Howe 1974, JASA
    69:789–794 (half widths in quadrature).
    """
    if not by_seed or not all(by_seed) or n < 1:
        raise ValueError("the mean of no values is not defined")
    if any(answer >> n for answers in by_seed for answer in answers):
        raise ValueError(f"students of one row were tested on different numbers of items, some on more than {n}")
    G, L = len(by_seed), lcm(*map(len, by_seed))
    counts, weights = [counted(answers) for answers in by_seed], [L // len(answers) for answers in by_seed]
    of_seeds = [w * total(c) for w, c in zip(weights, counts)]
    squares = [w**2 * product(c, c) for w, c in zip(weights, counts)]
    crossed = sum(v * w * product(a, b) for (v, a), (w, b) in combinations(zip(weights, counts), 2))
    by_item, everything = sum(squares) + 2 * crossed, sum(of_seeds) ** 2
    items = (n * by_item - everything) / (n * (G * L) ** 2)
    rest = (G * n * sum(squares) - G * sum(s**2 for s in of_seeds) - n * by_item + everything) / (G * n * L**2)
    return _of_sums([s / (L * n) for s in of_seeds], n, items, rest, sum(map(len, by_seed)), confidence)


def _of_sums(of_seeds: list[float], N: int, items: float, rest: float, students: int, confidence: float) -> Interval:
    """From p_g·, Σ_i (p_·i − p_··)² and Σ_gi e_gi²."""
    G, p, centre = len(of_seeds), (1 + confidence) / 2, mean(of_seeds)
    v_items = items / (N - 1) / N if N > 1 else None
    half_test = None if v_items is None else t_quantile(p, N - 1) * sqrt(v_items)
    if G == 1:
        return Interval(centre, None, G, students, half_test, None)
    half = t_quantile(p, G - 1) * sd(of_seeds) / sqrt(G)
    if v_items is None:
        return Interval(centre, half, G, students)
    v_rest = rest / ((G - 1) * (N - 1)) / (G * N)
    of_items_alone = t_quantile(p, N - 1) * sqrt(max(0.0, v_items - v_rest))
    return Interval(centre, half, G, students, half_test, hypot(half, of_items_alone))


def sampled_half_width(parts: Sequence[np.ndarray], confidence: float = CONFIDENCE) -> float | None:
    """Over test items, the half width of a sum of means over several test sets: Σ_d mean_i(parts[d][i]).

    √(Σ_d Var_i(parts[d]) / N_d), with the normal quantile. None where a test set has fewer than two items.
    """
    if any(len(part) < 2 for part in parts):
        return None
    variance = fsum(float(part.var(ddof=1)) / len(part) for part in parts)
    return NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(variance)
