"""A very small decoder from maps to signals f times as large: all its work is done at the small size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

KERNEL = 3


@dataclass(frozen=True)
class Subpixel:
    """z → map u [C, h, w] → p = V∗u + W·a + b [c·f², h, w] → patches of f × f side by side → x̂, cropped to its extent.

    `a = silu(A∗[u, e] + a₀)`, then `a ← a + silu(P·(D∗a) + p₀)`, with A and V 3 × 3 kernels, D 3 × 3 and depthwise, P
    and W pointwise, e [E, h, w] a stored map that tells the decoder where it is. The head, for codes that are vectors:
    u = zH. Series have one axis instead of two.

    Source: ESPCN, arXiv 1609.05158 (sub-pixel convolution); MobileNets, arXiv 1704.04861 (depthwise and pointwise).
    """

    channels: int
    """c of the signal."""
    extent: tuple[int, ...]
    factor: int
    code_channels: int
    width: int
    position: int
    vector: int | None
    """k: length of a code that is a vector."""

    @property
    def tile(self) -> tuple[int, ...]:
        return tuple(-(-size // self.factor) for size in self.extent)

    @property
    def map_shape(self) -> tuple[int, ...]:
        return (self.code_channels, *self.tile)

    @property
    def code_shape(self) -> tuple[int, ...]:
        return self.map_shape if self.vector is None else (self.vector,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of weights: rows are outputs, so that each output has a uint8 range of its own."""
        n, a, w = KERNEL ** len(self.extent), len(self.extent), self.width
        patch = self.channels * self.factor**a
        found: dict[str, tuple[int, ...]] = {
            "first": (w, (self.code_channels + self.position) * n), "first_bias": (w,), "depth": (w, n),
            "point": (w, w), "point_bias": (w,), "patch": (patch, w), "patch_bias": (patch,),
            "linear": (patch, self.code_channels * n),
        }  # fmt: skip
        if self.position:
            found["place"] = (self.position, prod(self.tile))
        if self.vector is not None:
            found["head"] = (self.vector, prod(self.map_shape))
        return found

    def first(self, generator: Generator) -> dict[str, Tensor]:
        """Untrained weights: normal, of variance 1 / inputs, biases 0."""
        found = {}
        for name, shape in self.shapes.items():
            inputs = {"head": self.vector, "place": 1}.get(name) or shape[-1]
            drawn = torch.randn(shape, generator=generator) * inputs**-0.5
            found[name] = torch.zeros(shape) if name.endswith("_bias") else drawn
        return found

    def __call__(self, weights: Mapping[str, Tensor], z: Float[Tensor, "m *code"]) -> Float[Tensor, "m c *extent"]:
        u = z if self.vector is None else (z @ weights["head"]).unflatten(1, self.map_shape)
        seen = u
        if self.position:
            place = weights["place"].unflatten(1, self.tile)
            seen = torch.cat([u, place.expand(len(u), *place.shape)], 1)
        a = F.silu(self._conv(seen, weights["first"], weights["first_bias"]))
        deeper = self._conv(self._conv(a, weights["depth"], groups=self.width), weights["point"], weights["point_bias"])
        a = a + F.silu(deeper)
        p = self._conv(a, weights["patch"], weights["patch_bias"]) + self._conv(u, weights["linear"])
        return self._side_by_side(p)

    def _conv(self, x: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1) -> Tensor:
        axes = len(self.extent)
        inputs = x.shape[1] // groups
        size = KERNEL if weight.shape[1] == inputs * KERNEL**axes else 1
        kernel = weight.reshape(len(weight), inputs, *(size,) * axes)
        conv = F.conv2d if axes == 2 else F.conv1d
        return conv(x, kernel, bias, padding=size // 2, groups=groups)

    def _side_by_side(self, p: Float[Tensor, "m cff *tile"]) -> Float[Tensor, "m c *extent"]:
        f, axes = self.factor, len(self.extent)
        split = p.unflatten(1, (self.channels, *(f,) * axes))
        order = [0, 1] + [at for i in range(axes) for at in (2 + axes + i, 2 + i)]
        whole = split.permute(order).reshape(len(p), self.channels, *(f * t for t in self.tile))
        return whole[(..., *(slice(0, size) for size in self.extent))]
