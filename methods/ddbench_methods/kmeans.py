"""K-means: the real item nearest to each centroid of its class."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans as SklearnKMeans
from torch import Generator, Tensor

from ddbench.interfaces.method import Selector, SelectTask
from ddbench_methods.features import FeatureConfig, features


class KMeans(Selector):
    """Clusters each class into n and keeps the real item nearest to every centroid, largest cluster first.

    Source: the k-means baseline of DC-BENCH (arXiv 2207.09639) keeps the centroids; real items are kept here, so that
    the row stays a selection.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "Lloyd 1982 with k-means++ seeding; baseline of arXiv 2207.09639"
    Config = FeatureConfig
    nested: ClassVar[bool] = False

    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        draw = task.generator("kmeans")
        rows = []
        for k in range(task.n_classes):
            members = task.members(k)
            rows.append(members[central(features(task, self.config.features, members), n, draw)])
        return torch.stack(rows)


def central(phi: Float[Tensor, "n_k d"], n: int, draw: Generator) -> Int[Tensor, " n"]:
    """Rows of φ nearest to the n centroids, largest cluster first; a row serves one centroid only."""
    seed = int(torch.randint(2**31 - 1, (1,), generator=draw))
    means = SklearnKMeans(n, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
    fit = means.fit(phi.numpy())
    sizes = torch.bincount(torch.as_tensor(fit.labels_, dtype=torch.long), minlength=n)
    distance = torch.cdist(torch.as_tensor(fit.cluster_centers_), phi)
    chosen: list[int] = []
    for c in sizes.argsort(descending=True, stable=True).tolist():
        row = distance[c].clone()
        row[chosen] = torch.inf
        chosen.append(int(row.argmin()))
    return torch.tensor(chosen)
