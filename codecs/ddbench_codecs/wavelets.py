"""The CDF 9/7 wavelet transform of any length, as a matrix."""

from __future__ import annotations

from functools import cache

import numpy as np

STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
"""Lifting steps, the first on odd samples: each adds this much of both neighbours."""
SCALE = 1.149604398860241
"""Averages are multiplied by it and details divided, which makes the transform nearly orthonormal."""


@cache
def cdf97_matrix(n: int, levels: int) -> np.ndarray:
    """Averages of the coarsest level, then details from coarse to fine, `[n, n]`; signals are mirrored at their ends.

    Levels are taken while two or more averages are left. Source: Cohen, Daubechies and Feauveau 1992 (filters);
    Daubechies and Sweldens 1998, §7.7 (lifting), which takes odd lengths as they come.
    """
    matrix, averages = np.eye(n), n
    for _ in range(levels):
        if averages < 2:
            break
        level = np.eye(n)
        level[:averages, :averages] = _one_level(averages)
        matrix, averages = level @ matrix, -(-averages // 2)
    return matrix


@cache
def cdf97_inverse(n: int, levels: int) -> np.ndarray:
    """The inverse; the condition of the matrix is about 2."""
    return np.linalg.inv(cdf97_matrix(n, levels))


def _one_level(n: int) -> np.ndarray:
    """Averages, then details of one level."""
    rows = np.eye(n)
    for i, step in enumerate(STEPS):
        mirrored = np.concatenate([rows[1:2], rows, rows[-2:-1]])
        own = slice(1 - i % 2, None, 2)
        rows[own] += step * (mirrored[:-2] + mirrored[2:])[own]
    return np.concatenate([rows[0::2] * SCALE, rows[1::2] / SCALE])
