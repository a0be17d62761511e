"""Random streams named by the coordinates that they may depend on.

A stream's seed is a hash of its name and coordinates, so a resumed run, another process or another order of cells draws
the same numbers (DESIGN.md, "Seeds by axis").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddbench.canonical import digest

if TYPE_CHECKING:
    import torch


def seed(axis: str, **coordinates: object) -> int:
    """The 63-bit seed of the stream `axis` at `coordinates` (JSON values; their order does not matter)."""
    return int(digest([axis, coordinates])[:16], 16) >> 1


def generator(axis: str, **coordinates: object) -> torch.Generator:
    """A CPU generator for the stream. Draws happen on the CPU, so that every device sees the same numbers."""
    import torch

    return torch.Generator().manual_seed(seed(axis, **coordinates))
