"""The Fréchet distance between two samples of features, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def frechet_distance(a: Float[ndarray, "n d"], b: Float[ndarray, "m d"]) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), in float64, covariances with n − 1 in the divisor.

    tr (Σ₁ Σ₂)^½ is the sum of the roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which is symmetric: no root of a matrix
    that is not, and none that is nearly singular, has to be taken. Raises: ValueError for fewer than two signals.

    Source: Dowson and Landau 1982; as a distance of features, Heusel et al., arXiv 1706.08500, eq. 6.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError("a covariance needs two signals or more")
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    root = _root(first)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * cross
    return max(0.0, float(distance))


def _root(matrix: Float[ndarray, "d d"]) -> Float[ndarray, "d d"]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
