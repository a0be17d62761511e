"""First items that suit a matcher: draws of the row `random`, less those that it passes over."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ddbench.budget import Budget
from ddbench.distill.initial import order_of, repeated
from ddbench.distill.prepare import Preparation
from ddbench.interfaces.codec import Tensors
from ddbench.interfaces.method import Matcher

JUDGED = 64
"""Draws of a class that are judged at once, at least: seldom more are needed."""


def suitable(
    matcher: Matcher,
    task: Preparation,
    prepared: Tensors,
    index: Int[Tensor, "k n"],
    budget: Budget | None,
    seed: int,
) -> Int[Tensor, "k n"] | None:
    """The first n training indices of each class that suit the matcher, in the order of `initial.draw`, which gave
    `index`; None where all suit. A class with too few that suit fills up with the others, in their order.
    """

    def suits(part: Int[Tensor, " b"]) -> Bool[Tensor, " b"] | None:
        with torch.no_grad():
            found = matcher.suits(task, prepared, task.real(part), task.labels[part.to(task.device)])
        return None if found is None else found.cpu()

    if suits(index[0, :1]) is None:
        return None
    n, classes = index.shape[1], range(len(index))
    return torch.stack([repeated(_preferred(order_of(task.data, budget, seed, k), n, suits), n) for k in classes])


def _preferred(order: Int[Tensor, " n_k"], n: int, suits: Callable[[Tensor], Tensor | None]) -> Int[Tensor, " m"]:
    """What suits, then what does not, as far as it had to be judged to find n."""
    good, bad, count = [], [], 0
    for part in order.split(max(n, JUDGED)):
        fine = suits(part)
        assert fine is not None, "a matcher that judged one draw judges all"
        good.append(part[fine])
        bad.append(part[~fine])
        count += len(good[-1])
        if count >= n:
            break
    return torch.cat([*good, *bad])


def not_random(index: Int[Tensor, "k n"], chosen: Int[Tensor, "k n"]) -> str:
    """What a reader must know of first items `chosen` where `index` are those of the row `random`."""
    others = sum(int((~torch.isin(b, a)).sum()) for a, b in zip(index, chosen))
    return (
        f"Of the signals of its first items, {others} of {chosen.numel()} are not those of the row `random`: the "
        "method passes over draws that do not suit it."
    )
