"""Groups of rows that their paired differences do not tell apart. torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from ddbench.stats.basic import CONFIDENCE, mean, sd, t_quantile

Scores = Mapping[int, Sequence[float]]
"""seed → accuracies of its students"""


def tie_groups(rows: Sequence[Scores], confidence: float = CONFIDENCE) -> list[int | None]:
    """The group of each row, 1 the best; rows may come in any order.

    The row with the best mean leads group 1. Every row whose paired difference from it, over the seeds that both have,
    has an interval (t, G − 1 degrees) that holds zero is in that group; the best of what is left leads the next one,
    until none is left. So a row of group 2 is told apart from the leader of group 1, not from all of its members: ties
    are not transitive. Each comparison is made at `confidence`, without correction for their number.

    A row that has fewer than two seeds, or fewer than two in common with the leader that it meets, has no group (None).
    """
    centres = [mean([mean(values) for values in row.values()]) if row else 0.0 for row in rows]
    left = sorted((i for i, row in enumerate(rows) if len(row) > 1), key=lambda i: -centres[i])
    groups: list[int | None] = [None] * len(rows)
    number = 0
    while left:
        leader, number = left[0], number + 1
        groups[leader] = number
        beyond = []
        for i in left[1:]:
            seeds = rows[leader].keys() & rows[i].keys()
            if len(seeds) < 2:
                continue
            if _tied([mean(rows[leader][s]) - mean(rows[i][s]) for s in sorted(seeds)], confidence):
                groups[i] = number
            else:
                beyond.append(i)
        left = beyond
    return groups


def _tied(differences: Sequence[float], confidence: float) -> bool:
    G = len(differences)
    half = t_quantile((1 + confidence) / 2, G - 1) * sd(differences) / sqrt(G)
    return abs(mean(differences)) <= half
