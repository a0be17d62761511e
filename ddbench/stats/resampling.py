"""Sign-flip permutation test and bootstrap of paired differences. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddbench.stats.basic import CONFIDENCE
from ddbench.stats.pairs import Pairs, differences

if TYPE_CHECKING:
    import numpy as np

EXACT_PAIRS = 36
"""Up to so many pairs, every one of the 2ⁿ ways to flip is counted."""
DRAWS = 100_000
"""Random ways to flip where there are more pairs."""
_ROUNDING = 1e-9
"""Accuracies are counts over counts, so that ways to flip often tie; sums this near, relatively, are equal."""
_BLOCK = 1 << 20


def sign_flip_p(cells: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """(two-sided p-value, the smallest it could have been) of paired differences, grouped by cell.

    Null hypothesis: given the draws that they share, A and B have the same distribution of accuracies in every cell, so
    that the sign of each of the n differences is a coin's. p is the share of the 2ⁿ ways to flip them whose mean (over
    cells of the mean over seeds) is at least as far from zero as the one found: exact for n ≤ 36, by splitting the
    pairs in two halves and counting their sums, else from 100,000 random ways, the one found among them. Exact p-values
    are multiples of 2 / 2ⁿ: three pairs give 0.25 at best, six 0.031.

    Source: Fisher 1935, The Design of Experiments, §21; Phipson & Smyth 2010, arXiv 1603.05766 (the random case).
    """
    import numpy as np

    weighted = np.array([d / len(found) for found in cells for d in found], dtype=np.float64)
    n = len(weighted)
    bound = abs(float(weighted.sum())) - _ROUNDING * float(np.abs(weighted).sum())
    if n > EXACT_PAIRS:
        far = _random_flips(weighted, bound, np.random.default_rng(seed))
        return (1 + far) / (1 + DRAWS), 1 / (1 + DRAWS)
    if bound <= 0:
        return 1.0, 2.0 ** (1 - n)
    first, second = _sums(weighted[: n // 2]), np.sort(_sums(weighted[n // 2 :]))
    beyond = int((len(second) - np.searchsorted(second, bound - first, side="left")).sum())
    return 2 * beyond / 2.0**n, 2.0 ** (1 - n)


def paired_bootstrap(
    pairs: Pairs, seed: int = 0, draws: int = 10_000, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """(low, high) of the mean difference were cells and seeds drawn anew: percentiles of a two-stage bootstrap.

    Cells are drawn with replacement, then seeds within each drawn cell; a single cell stays, its seeds are drawn. The
    interval of `paired_difference` is for these cells, this one for cells like these. Percentiles of few seeds or cells
    are too narrow: with three the interval covers far less than it says.

    Raises: ValueError where there is no pair.
    Source: Davison & Hinkley 1997, Bootstrap Methods, §3.8.
    """
    import numpy as np

    cells = [np.array(found) for found in differences(pairs)]
    draw = np.random.default_rng(seed)
    chosen = draw.integers(len(cells), size=(draws, len(cells)))
    means = np.empty(chosen.shape)
    for c, found in enumerate(cells):
        where = chosen == c
        means[where] = found[draw.integers(len(found), size=(int(where.sum()), len(found)))].mean(1)
    low, high = np.quantile(means.mean(1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _sums(values: np.ndarray) -> np.ndarray:
    """[2ⁿ]: the sums of all ways to flip the signs of n values."""
    import numpy as np

    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_flips(values: np.ndarray, bound: float, draw: np.random.Generator) -> int:
    """Of `DRAWS` random ways to flip, how many have a sum at least `bound` from zero."""
    import numpy as np

    far, left = 0, DRAWS
    while left:
        now = min(left, max(1, _BLOCK // len(values)))
        signs = 2.0 * draw.integers(2, size=(now, len(values)), dtype=np.int8) - 1
        far += int((np.abs(signs @ values) >= bound).sum())
        left -= now
    return far
