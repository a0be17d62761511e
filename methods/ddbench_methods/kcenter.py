"""K-center: items chosen so that no item of the class is far from a chosen one."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.interfaces.method import Selector, SelectTask
from ddbench_methods.features import FeatureConfig, features


class KCenter(Selector):
    """Greedy farthest-first traversal of each class in feature space, from the item nearest to the class mean.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985); as core-set choice in
    Sener & Savarese (arXiv 1708.00489), algorithm 1.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "Gonzalez 1985; arXiv 1708.00489, algorithm 1"
    Config = FeatureConfig

    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        rows = []
        for k in range(task.n_classes):
            members = task.members(k)
            rows.append(members[farthest_first(features(task, self.config.features, members), n)])
        return torch.stack(rows)


def farthest_first(phi: Float[Tensor, "n_k d"], n: int) -> Int[Tensor, " n"]:
    """The row nearest to the mean of φ, then each time the row farthest from all chosen; ties to the first."""
    chosen = [int((phi - phi.mean(0)).square().sum(1).argmin())]
    nearest = (phi - phi[chosen[0]]).square().sum(1)
    nearest[chosen[0]] = -1
    while len(chosen) < n:
        i = int(nearest.argmax())
        chosen.append(i)
        nearest = torch.minimum(nearest, (phi - phi[i]).square().sum(1))
        nearest[i] = -1
    return torch.tensor(chosen[:n])
