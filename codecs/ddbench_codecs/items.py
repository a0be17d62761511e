"""What the built-in codecs ask of a set's codes: one decoded signal an item, leaves that are tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.interfaces.codec import Codes, Decoded, Ragged


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
