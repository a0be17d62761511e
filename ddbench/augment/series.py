"""Operation families of series, spectrograms and rows: noise, gain, and parts that are hidden.

Batches and draws are those of `ddbench.augment.families`. Noise is a function of a row's draw and of the position, by
whole numbers alone: all items of a row, real and synthetic, meet the same noise, on every device.
"""

from __future__ import annotations

from math import prod, sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

JITTER_SD = 0.03
MAGNITUDE_SD = 0.1
LONGEST_TIME = 0.2
WIDEST_BAND = 1 / 3
DROP = 0.1

Batch = Float[Tensor, "r n c *extent"]
Uniform = Float[Tensor, "r 3"]


def jitter(x: Batch, u: Uniform) -> Batch:
    """x + 0.03·N(0, 1) at each value. Source: Iwana & Uchida 2021 (arXiv 2007.15951), 'jittering'."""
    shape = x.shape[2:]
    noise = gaussian(hashed(u, prod(shape))).to(x)
    return x + JITTER_SD * noise.reshape(len(x), 1, *shape)


def magnitude(x: Batch, u: Uniform) -> Batch:
    """One factor ~ N(1, 0.1²) on all values of an item. Source: Iwana & Uchida 2021, 'scaling'."""
    factor = 1 + MAGNITUDE_SD * gaussian(hashed(u, 1)).to(x)
    return x * factor.reshape(-1, *(1,) * (x.dim() - 1))


def timemask(x: Batch, u: Uniform) -> Batch:
    """Up to a fifth of the positions in a row set to 0. Source: Park et al. 2019 (SpecAugment, arXiv 1904.08779)."""
    hidden = segment(u, x.shape[-1], int(LONGEST_TIME * x.shape[-1]))
    return x * ~hidden[:, None, None]


def bandmask(x: Batch, u: Uniform) -> Batch:
    """Up to a third of neighbouring channels set to 0: of spectrograms, frequencies. Source: as `timemask`."""
    hidden = segment(u, x.shape[2], int(WIDEST_BAND * x.shape[2]))
    return x * ~hidden[:, None, :, None]


def drop(x: Batch, u: Uniform) -> Batch:
    """Each position with all its channels, of rows each column, set to 0 with probability 0.1.

    Source: Wei & Zou 2019 (EDA, arXiv 1901.11196), 'random deletion' of tokens, here without closing the gap.
    """
    kept = hashed(u, x.shape[-1]) >= DROP
    return x * kept.reshape(len(x), *(1,) * (x.dim() - 2), -1)


def segment(u: Uniform, size: int, longest: int) -> Bool[Tensor, "r size"]:
    """Positions of a segment of 0 … longest positions, its length uniform, then its place."""
    length = (u[:, 0] * (longest + 1)).floor().clamp(max=longest)
    start = (u[:, 1] * (size - length + 1)).floor().clamp(max=size - length)
    at = torch.arange(size, device=u.device)
    return (at >= start[:, None]) & (at < (start + length)[:, None])


def hashed(u: Uniform, size: int) -> Float[Tensor, "r size"]:
    """Uniform float64 numbers in (0, 1), a row of them from each draw: the finaliser of SplitMix64 over a counter.

    Source: Steele, Lea & Flood 2014, 'Fast splittable pseudorandom number generators'. int64 wraps as uint64 does.
    """
    words = (u[:, :2].double() * 2**24).long()
    state = ((words[:, :1] << 24) + words[:, 1:]) * _signed(0xD1342543DE82EF95)
    z = state + torch.arange(1, size + 1, device=u.device) * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    return (_shifted(z ^ _shifted(z, 31), 40).double() + 0.5) / 2**24


def gaussian(uniform: Float[Tensor, "r size"]) -> Float[Tensor, "r size"]:
    return sqrt(2) * torch.erfinv(2 * uniform - 1)


def _shifted(z: Tensor, by: int) -> Tensor:
    """z >> by of the unsigned number."""
    return (z >> by) & ((1 << (64 - by)) - 1)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
