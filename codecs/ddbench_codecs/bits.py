"""Bit masks, and whole numbers of a few bits each, as bytes: eight bits a byte, most significant bit first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int, UInt8
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


def pack_numbers(values: Int[Tensor, "m n"], widths: Sequence[int], size_bytes: int) -> UInt8[Tensor, "m b"]:
    """`size_bytes` bytes a row that hold column j in widths[j] bits, one after the other; the rest are zeros."""
    column, shift = _places(widths, values.device)
    held = pack(((values[:, column] >> shift) & 1).bool())
    return torch.nn.functional.pad(held, (0, size_bytes - held.shape[1]))


def unpack_numbers(packed: UInt8[Tensor, "m b"], widths: Sequence[int]) -> Int[Tensor, "m n"]:
    """The columns of `pack_numbers`; one of no bits is 0."""
    column, shift = _places(widths, packed.device)
    held = unpack(packed, len(column)).long() << shift
    return held.new_zeros(len(packed), len(widths)).index_add(1, column, held)


def _places(widths: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """(column, power of two) of every bit of a row."""
    column = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths))
    shift = torch.cat([torch.arange(w - 1, -1, -1) for w in widths])
    return column.to(device), shift.to(device)
