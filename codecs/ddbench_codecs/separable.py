"""Linear maps applied axis by axis: the orthonormal DCT and the triangle-filter resize, as matrices.

Matrix products work for any number of axes, are differentiable, and add up in the same order on every run, which the
backward pass of an interpolation kernel on an accelerator does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def along_extent(x: Float[Tensor, "m c *extent"], matrices: Sequence[np.ndarray]) -> Float[Tensor, "m c *out"]:
    """x with its last len(matrices) axes multiplied, each by its matrix `[n_out, n_in]`."""
    first = x.dim() - len(matrices)
    for axis, matrix in enumerate(matrices, first):
        factor = torch.tensor(matrix.T, dtype=x.dtype, device=x.device)
        x = (x.movedim(axis, -1) @ factor).movedim(-1, axis)
    return x


# Constants are kept as arrays: a tensor first made inside a function transform or inference mode may not leave it.
@cache
def dct_matrix(n: int) -> np.ndarray:
    """The orthonormal DCT-II of length n: row k is s_k·cos(π(2j+1)k / 2n), s_0 = √(1/n), s_k = √(2/n)."""
    k, j = np.arange(n)[:, None], np.arange(n)[None, :]
    matrix = np.cos(np.pi * (2 * j + 1) * k / (2 * n)) * np.sqrt(2 / n)
    matrix[0] = np.sqrt(1 / n)
    return matrix


@cache
def resize_matrix(n_in: int, n_out: int) -> np.ndarray:
    """Linear resize `[n_out, n_in]`, half-pixel centres (align_corners off), rows adding up to 1.

    Going up it interpolates between the two nearest samples and repeats the border. Going down the triangle widens by
    n_in / n_out, so that what the smaller signal cannot hold is averaged away (antialiasing).
    """
    width = max(1.0, n_in / n_out)
    centres = (np.arange(n_out) + 0.5) * n_in / n_out
    distance = np.abs(np.arange(n_in) + 0.5 - centres[:, None])
    weight = np.maximum(0.0, 1 - distance / width)
    return weight / weight.sum(1, keepdims=True)


@cache
def smooth_basis(n: int, n_small: int) -> np.ndarray:
    """Orthonormal columns `[n, n_small]` that span what the linear resize of n_small samples to n can give.

    U(UᵀU)^-½ for the resize U: of all such bases the nearest to U, and its coordinates stay local.
    """
    left, _, right = np.linalg.svd(resize_matrix(n_small, n), full_matrices=False)
    return left @ right
