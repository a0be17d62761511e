"""Which pictures show almost the same drawing, by their smallest copies. torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float32, UInt8

THRESHOLD = 0.08
"""Share of the stronger picture's ink by which near-duplicates differ at most; chosen by eye on the clip art: below it
are copies, recolourings and variants of one drawing, well above it other drawings."""
ROWS = 512
"""Rows of the distance matrix at a time."""


def ink(thumbs: UInt8[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n d"]:
    """How far each value is from white paper."""
    return (255 - thumbs.reshape(len(thumbs), -1)).astype("float32")


def differences(a: Float32[np.ndarray, "n d"], b: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "n m"]:
    """|a − b|² / max(|a|², |b|²) of every pair: 0 for equal pictures, at least 1 where nothing overlaps."""
    import numpy as np

    energy_a, energy_b = (np.einsum("nd,nd->n", x, x) for x in (a, b))
    gap = energy_a[:, None] + energy_b[None] - 2 * (a @ b.T)
    return np.maximum(gap, 0) / np.maximum(np.maximum(energy_a[:, None], energy_b[None]), 1)


def groups(thumbs: UInt8[np.ndarray, "n c h w"]) -> list[int]:
    """For each picture the first one of its group; pictures are in one group where near-duplicates link them."""
    x = ink(thumbs)
    first = list(range(len(x)))

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = i = first[first[i]]
        return i

    for start in range(0, len(x), ROWS):
        near = differences(x[start : start + ROWS], x) < THRESHOLD
        for i, j in zip(*near.nonzero()):
            low, high = sorted((root(start + int(i)), root(int(j))))
            first[high] = low
    return [root(i) for i in range(len(x))]


def near_any(thumbs: UInt8[np.ndarray, "n c h w"], others: UInt8[np.ndarray, "m c h w"]) -> Bool[np.ndarray, " n"]:
    """Which of `thumbs` are near-duplicates of one of `others`."""
    import numpy as np

    x, y = ink(thumbs), ink(others)
    found = np.zeros(len(x), dtype=bool)
    for start in range(0, len(y), ROWS):
        found |= (differences(x, y[start : start + ROWS]) < THRESHOLD).any(1)
    return found
