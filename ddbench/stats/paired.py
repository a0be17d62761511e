"""The paired difference of two rows over cells and seeds, with interval and p-value. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from ddbench.stats.basic import CONFIDENCE, mean, sd, t_quantile
from ddbench.stats.pairs import Pairs, differences
from ddbench.stats.resampling import sign_flip_p


@dataclass(frozen=True)
class Difference:
    """A − B over the same cells and seeds, as a fraction."""

    mean: float
    half_width: float | None
    """None where a cell has one seed only: nothing then says how far its seeds spread."""
    n_cells: int
    n_pairs: int


@dataclass(frozen=True)
class PairedDifference(Difference):
    """The same with what it rests on, and the p-value."""

    p_value: float
    """Two-sided, of the sign-flip permutation test."""
    least_p: float
    """The smallest p-value that so many pairs could have given."""

    @property
    def is_apart(self) -> bool | None:
        """Whether the interval leaves zero out; None where there is no interval."""
        return None if self.half_width is None else abs(self.mean) > self.half_width


def paired_difference(pairs: Pairs, confidence: float = CONFIDENCE) -> PairedDifference:
    """The mean over cells of the mean over seeds of A − B; every cell weighs the same, in it every seed.

    A pair is one (cell, seed): the students of each side are averaged first, since those of one stored set are not
    independent. The interval is for these C cells and other seeds. In cell c, G_c differences spread with s_c²:

        Var = Σ_c s_c² / G_c / C²,    t on Satterthwaite's degrees Var² / Σ_c (s_c²/G_c/C²)² / (G_c − 1)

    which for one cell is the paired t interval on G − 1 degrees. Cells are taken to be independent given what A and B
    share; put into one cell what meets the same initial items. The p-value is `sign_flip_p`'s.

    Raises: ValueError where there is no pair, a side of a pair is empty, or an accuracy is not finite.
    Source: Satterthwaite 1946, Biometrics Bulletin 2:110–114.
    """
    cells = differences(pairs)
    found = difference(cells, confidence)
    p_value, least_p = sign_flip_p(cells)
    return PairedDifference(found.mean, found.half_width, found.n_cells, found.n_pairs, p_value, least_p)


def difference(cells: Sequence[Sequence[float]], confidence: float = CONFIDENCE) -> Difference:
    """Mean and interval of `paired_difference`, of differences by cell, without the test, which takes longest."""
    C = len(cells)
    half = None
    if all(len(found) > 1 for found in cells):
        parts = [sd(found) ** 2 / len(found) / C**2 for found in cells]
        spread = sum(v**2 / (len(found) - 1) for v, found in zip(parts, cells))
        degrees = sum(parts) ** 2 / spread if C > 1 and spread > 0 else len(cells[0]) - 1
        half = t_quantile((1 + confidence) / 2, degrees) * sqrt(sum(parts))
    return Difference(mean([mean(found) for found in cells]), half, C, sum(map(len, cells)))
