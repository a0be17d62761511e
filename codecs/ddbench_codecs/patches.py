"""Signals as patches, whatever their number of axes, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def to_patches(x: Float[Tensor, "m c *extent"], side: int) -> Float[Tensor, "m t d"]:
    """Patches of `side` along every axis, d = c·sideᵃ values each, in order; far edges are repeated to fill them."""
    axes = x.dim() - 2
    for axis in range(2, x.dim()):
        lack = -x.shape[axis] % side
        x = torch.cat([x, x.narrow(axis, -1, 1).expand(*x.shape[:axis], lack, *x.shape[axis + 1 :])], axis)
    for i in range(axes):
        x = x.unflatten(2 + 2 * i, (-1, side))
    order = [0, *range(2, 2 + 2 * axes, 2), 1, *range(3, 3 + 2 * axes, 2)]
    return x.permute(order).flatten(1 + axes).flatten(1, axes)


def from_patches(
    patches: Float[Tensor, "m t d"], channels: int, extent: Sequence[int], side: int
) -> Float[Tensor, "m c *extent"]:
    """The signals of `to_patches`, without what was repeated."""
    axes = len(extent)
    grid = [-(-size // side) for size in extent]
    x = patches.unflatten(2, (channels, *(side,) * axes)).unflatten(1, grid)
    # [m, grid…, c, side…] → [m, c, grid, side, grid, side, …]
    order = [0, 1 + axes, *(place for i in range(axes) for place in (1 + i, 2 + axes + i))]
    x = x.permute(order)
    for i in range(axes):
        x = x.flatten(2 + i, 3 + i)
    for axis, size in enumerate(extent, 2):
        x = x.narrow(axis, 0, size)
    return x
