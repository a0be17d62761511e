"""The operation families, each a function of a batch and of uniform draws: DSA's six, those of series and of texts.

All act on normalised signals with 0 as fill. Row r of a batch `[r, n, c, *extent]` is n items that share the draw
`u[r]`, three numbers uniform in [0, 1). Source: protocols.md §3.1; Zhao & Bilen 2021 (arXiv 2102.08259).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, pi

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from ddbench.augment import series, words

CROP = 0.125
CUTOUT = 0.5
SCALE = 1.2
ROTATE_DEGREES = 15.0

Batch = Float[Tensor, "r n c *extent"]
Uniform = Float[Tensor, "r 3"]


def share(part: float, size: int) -> int:
    """`part · size`, rounded half up as published (20 → 3 at an eighth, where Python's round(2.5) gives 2)."""
    return floor(part * size + 0.5)


def colour(x: Batch, u: Uniform) -> Batch:
    """Brightness x + (u₀ − ½); saturation (x − m)·2u₁ + m, m by position; contrast (x − m)·(u₂ + ½) + m, m by item."""
    by, stretch, contrast = u.to(x).reshape(len(u), 3, *(1,) * (x.dim() - 1)).unbind(1)
    x = x + (by - 0.5)
    if x.shape[2] > 1:  # of one channel, saturation is the identity
        mean = x.mean(2, keepdim=True)
        x = (x - mean) * (2 * stretch) + mean
    mean = x.mean(tuple(range(2, x.dim())), keepdim=True)
    return (x - mean) * (contrast + 0.5) + mean


def flip(x: Batch, u: Uniform) -> Batch:
    """Left and right exchanged with probability ½."""
    return torch.where(_per_row(u[:, 0] < 0.5, x), x.flip(-1), x)


def below(u: Float[Tensor, " r"], places: int) -> Int[Tensor, " r"]:
    """Integers uniform over 0 … places − 1."""
    # In float32, u close to 1 times `places` can round up to `places`.
    return (u * places).floor().clamp(max=places - 1).long()


def shifts(u: Float[Tensor, " r"], size: int) -> Int[Tensor, " r"]:
    """Integer shifts, uniform over −k … k with k = an eighth of the size."""
    k = share(CROP, size)
    return below(u, 2 * k + 1) - k


def crop(x: Batch, u: Uniform) -> Batch:
    """A translation by whole positions, x̂[i] = x[i + shift], 0 outside. The first draw is for the last axis."""
    r, n, c, *extent = x.shape
    index = torch.zeros(r, *extent, dtype=torch.long, device=x.device)
    inside = torch.ones(r, *extent, dtype=torch.bool, device=x.device)
    for draw, axis in enumerate(reversed(range(len(extent)))):
        size = extent[axis]
        at = torch.arange(size, device=x.device) + shifts(u[:, draw], size)[:, None]
        along = [r, *(size if a == axis else 1 for a in range(len(extent)))]
        stride = 1 if axis == len(extent) - 1 else extent[-1]
        index = index + at.clamp(0, size - 1).reshape(along) * stride
        inside = inside & ((at >= 0) & (at < size)).reshape(along)
    moved = x.reshape(r, n * c, -1).gather(2, index.reshape(r, 1, -1).expand(-1, n * c, -1))
    return (moved * inside.reshape(r, 1, -1)).reshape(x.shape)


def covered(u: Float[Tensor, " r"], size: int) -> Bool[Tensor, "r size"]:
    """Positions of a segment of half the size whose centre is uniform over the axis, clipped at its ends."""
    side = share(CUTOUT, size)
    # An even segment has its centre between two positions, so there is one more place for it.
    centre = below(u, size + 1 - side % 2)[:, None]
    at = torch.arange(size, device=u.device)
    return (at >= centre - side // 2) & (at < centre - side // 2 + side)


def cutout(x: Batch, u: Uniform) -> Batch:
    """A square (on series a segment) of half the side set to 0. The first draw is for the last axis."""
    extent = x.shape[3:]
    hole = covered(u[:, 0], extent[-1])
    if len(extent) == 2:
        hole = covered(u[:, 1], extent[0])[:, :, None] & hole[:, None, :]
    return x * ~hole[:, None, None]


def scale(x: Batch, u: Uniform) -> Batch:
    """The grid stretched by sx, sy ~ U(1/1.2, 1.2), independent; on series by one factor."""
    factor = u.to(x) * (SCALE - 1 / SCALE) + 1 / SCALE
    theta = torch.zeros(len(u), 2, 3, dtype=x.dtype, device=x.device)
    theta[:, 0, 0] = factor[:, 0]
    theta[:, 1, 1] = factor[:, 1]
    return sample(x, theta)


def rotate(x: Batch, u: Uniform) -> Batch:
    """The grid turned by an angle ~ U(−15°, 15°) about the centre.

    Grid coordinates run from −1 to 1 on both axes; the off-diagonal terms carry the aspect ratio, so that maps that are
    not square turn instead of shear (on square ones this is the published matrix).
    """
    angle = (u[:, 0].to(x) * 2 - 1) * (ROTATE_DEGREES * pi / 180)
    h, w = x.shape[-2:]
    theta = torch.zeros(len(u), 2, 3, dtype=x.dtype, device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = angle.cos()
    theta[:, 0, 1] = -angle.sin() * (h / w)
    theta[:, 1, 0] = angle.sin() * (w / h)
    return sample(x, theta)


def sample(x: Batch, theta: Float[Tensor, "r 2 3"]) -> Batch:
    """x read at θ·grid, bilinear, 0 outside, corners not aligned (the default of current PyTorch, as in DC's code)."""
    r, n, c, *extent = x.shape
    # A row's items are channels of one image, so that its grid is made and looked up once for all of them.
    image = x.reshape(r, n * c, *((1, *extent) if len(extent) == 1 else extent))
    grid = F.affine_grid(theta, [r, 1, *image.shape[2:]], align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False).reshape(x.shape)


def _per_row(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (x.dim() - 1))


@dataclass(frozen=True)
class Family:
    """An operation family and the numbers of axes behind the channels on which it has a meaning."""

    axes: tuple[int, ...]
    transform: Callable[[Tensor, Tensor], Tensor]
    in_place: bool = False
    """Whether every value stays where it is, so that a mask still says where values are."""


FAMILIES = {
    "color": Family((2,), colour),
    "crop": Family((1, 2), crop),
    "cutout": Family((1, 2), cutout, in_place=True),
    "flip": Family((2,), flip),
    "scale": Family((1, 2), scale),
    "rotate": Family((2,), rotate),
    "jitter": Family((0, 1), series.jitter, in_place=True),
    "magnitude": Family((1,), series.magnitude, in_place=True),
    "timemask": Family((1,), series.timemask, in_place=True),
    "bandmask": Family((1,), series.bandmask, in_place=True),
    "drop": Family((0, 1), series.drop, in_place=True),
    "worddrop": Family((1,), words.worddrop),
}
