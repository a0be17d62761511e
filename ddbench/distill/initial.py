"""The first items of a row: random real ones or noise, the same draws for every row of a dataset, budget and seed."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from ddbench import rng
from ddbench.budget import Budget
from ddbench.data import Data


def draw(data: Data, budget: Budget | None, seed: int, n: int) -> Int[Tensor, "k n"]:
    """n random training indices of each class. The first n of a longer draw are the shorter draw.

    Without replacement within a class; a class with fewer than n items starts over.
    """
    return torch.stack([repeated(order_of(data, budget, seed, k), n) for k in range(len(data.members))])


def order_of(data: Data, budget: Budget | None, seed: int, k: int) -> Int[Tensor, " n_k"]:
    """All training indices of class k in the order in which they are drawn."""
    members = data.members[k]
    stream = rng.generator(
        "initial", dataset=data.card.revision, budget=budget and budget.model_dump(), seed=seed, label=k
    )
    return members[torch.randperm(len(members), generator=stream)]


def repeated(order: Int[Tensor, " m"], n: int) -> Int[Tensor, " n"]:
    """The first n, starting over where there are fewer."""
    return order.repeat(-(-n // len(order)))[:n]


def noise(data: Data, budget: Budget | None, seed: int) -> Generator:
    """The stream of first items that are noise."""
    return rng.generator("initial-noise", dataset=data.card.revision, budget=budget and budget.model_dump(), seed=seed)
