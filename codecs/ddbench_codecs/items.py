"""What the built-in codecs ask of a set's codes: one decoded signal an item, leaves that are tensors."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ddbench.budget import slots
from ddbench.cost import cost_of
from ddbench.errors import BudgetError
from ddbench.interfaces.codec import Codes, Decoded, Ragged, Target
from ddbench.leaf import Leaf


def one_signal_each(signals: Tensor | Ragged) -> Decoded:
    """Decoded signals of items that store one signal each, in order."""
    assert isinstance(signals, Tensor)
    return Decoded(signals, torch.arange(len(signals), device=signals.device))


def dense(codes: Codes, name: str) -> Tensor:
    """A leaf that is a tensor, not a ragged one."""
    leaf = codes[name]
    assert isinstance(leaf, Tensor)
    return leaf


def ragged(codes: Codes, name: str) -> Ragged:
    """A leaf of byte strings."""
    leaf = codes[name]
    assert isinstance(leaf, Ragged)
    return leaf


def items_held(leaves: Iterable[Leaf], target: Target) -> int:
    """Items of the whole set that the budget holds, at least one a class: how many share what the set stores once."""
    try:
        return target.n_classes * slots(cost_of(leaves, target.storage), target.n_classes, target.cap_bytes)
    except BudgetError:
        return target.n_classes
