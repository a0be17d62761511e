"""Paired accuracies of two rows: the same cells, seeds and draws on both sides. torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ddbench.stats.basic import mean

Pairs = Mapping[Any, Mapping[int, tuple[Sequence[float], Sequence[float]]]]
"""cell → seed → (accuracies of A, accuracies of B): two rows that met the same draws."""


def differences(pairs: Pairs) -> list[list[float]]:
    """A − B of each seed, cell by cell. Raises: ValueError as `paired_difference` does."""
    if not pairs or not all(pairs.values()):
        raise ValueError("there is no pair to compare")
    cells = [[mean(a) - mean(b) for a, b in by_seed.values()] for by_seed in pairs.values()]
    if not all(isfinite(d) for found in cells for d in found):
        raise ValueError("an accuracy is not a finite number")
    return cells


def matched(
    a: Mapping[int, Sequence[float]], b: Mapping[int, Sequence[float]]
) -> dict[int, tuple[Sequence[float], Sequence[float]]]:
    """The seeds that both have, each with A's and B's accuracies: one cell of `Pairs`."""
    return {seed: (a[seed], b[seed]) for seed in a if seed in b}
