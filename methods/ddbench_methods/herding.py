"""Herding: items whose running mean stays nearest to the class mean."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.interfaces.method import Selector, SelectTask
from ddbench_methods.features import FeatureConfig, features


class Herding(Selector):
    """Greedy mean matching of each class in feature space, without replacement.

    Source: Welling, "Herding dynamical weights to learn" (2009), eq. 18-19; as exemplar choice in iCaRL
    (arXiv 1611.07725), algorithm 4.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "Welling 2009, eq. 18-19; arXiv 1611.07725, algorithm 4"
    Config = FeatureConfig

    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        rows = []
        for k in range(task.n_classes):
            members = task.members(k)
            rows.append(members[herd(features(task, self.config.features, members), n)])
        return torch.stack(rows)


def herd(phi: Float[Tensor, "n_k d"], n: int) -> Int[Tensor, " n"]:
    """Rows i₁…iₙ of φ, each minimising ‖μ − (φ_i₁ + … + φ_i)/t‖ among those not chosen yet; ties to the first."""
    mean = phi.mean(0)
    total = torch.zeros_like(mean)
    free = torch.ones(len(phi), dtype=torch.bool)
    chosen = []
    for t in range(1, n + 1):
        distance = ((phi + total) / t - mean).square().sum(1)
        i = int(distance.masked_fill(~free, torch.inf).argmin())
        chosen.append(i)
        free[i] = False
        total += phi[i]
    return torch.tensor(chosen)
