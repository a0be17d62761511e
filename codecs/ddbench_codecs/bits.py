"""Bit masks as bytes: eight positions a byte, most significant bit first."""

from __future__ import annotations

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor


def _weights(device: torch.device) -> Tensor:
    return 1 << torch.arange(7, -1, -1, device=device)


def pack(mask: Bool[Tensor, "k p"]) -> UInt8[Tensor, "k b"]:
    """Bytes of each row, ⌈p/8⌉ of them, padded with zeros."""
    padded = torch.nn.functional.pad(mask.long(), (0, -mask.shape[1] % 8))
    return (padded.reshape(len(mask), -1, 8) * _weights(mask.device)).sum(-1).to(torch.uint8)


def unpack(packed: UInt8[Tensor, "k b"], positions: int) -> Bool[Tensor, "k p"]:
    """The first `positions` bits of each row of `pack`."""
    bits = (packed.long()[..., None] & _weights(packed.device)) != 0
    return bits.flatten(1)[:, :positions]
