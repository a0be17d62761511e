"""Small sinusoidal networks of coordinates (SIREN), many at once, each given as one flat vector of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor


@dataclass(frozen=True)
class Sinusoidal:
    """coordinates [a] → sin → `layers` hidden layers of `hidden` units, each under a sine → channels [c].

    Weights are kept in units of the bounds within which SIREN draws them first, U(−1, 1) for all: ω₀/√a in the first
    layer, √(6/hidden) in the others, π for biases under a sine and 1 for those of the last layer. They thus have one
    scale, which one learning rate and one range of uint8 levels need. SIREN's second constant, the ω₀ of hidden layers,
    divides their bound and multiplies their output: in these units it is no more than a factor on learning rates.

    Source: SIREN, arXiv 2006.09661, §3.2.
    """

    axes: int
    channels: int
    hidden: int
    layers: int
    omega0: float = 1.0

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of each layer, the last one's too."""
        h = self.hidden
        return [(h, self.axes), *[(h, h)] * (self.layers - 1), (self.channels, h)]

    @property
    def size(self) -> int:
        """Weights of one network, biases included."""
        return sum(o * i + o for o, i in self.sizes)

    def first(self, generator: Generator) -> Float[Tensor, " d"]:
        return torch.rand(self.size, generator=generator) * 2 - 1

    def __call__(self, w: Float[Tensor, "m d"], at: Float[Tensor, "p a"]) -> Float[Tensor, "m c p"]:
        """Values of each of the M networks at each of the P points."""
        x, start = at.T.expand(len(w), -1, -1), 0
        for depth, (o, i) in enumerate(self.sizes):
            weight, bias = w[:, start : start + o * i], w[:, start + o * i : start + o * i + o, None]
            start += o * i + o
            last = depth == self.layers
            gain = math.sqrt(6 / i) if depth else self.omega0 / math.sqrt(i)
            x = torch.baddbmm(bias if last else math.pi * bias, gain * weight.reshape(-1, o, i), x)
            x = x if last else torch.sin(x)
        return x


def widest(floats: float, axes: int, channels: int, layers: int) -> Sinusoidal | None:
    """The widest network of at most so many weights; None where not even one of one unit a layer is that small."""
    found, hidden = None, 1
    while (wider := Sinusoidal(axes, channels, hidden, layers)).size <= floats:
        found, hidden = wider, hidden + 1
    return found


def grid(extent: Sequence[int], like: Tensor) -> Float[Tensor, "p a"]:
    """Coordinates of every sample, centres of cells that fill [−1, 1] along each axis, the last axis fastest."""
    axes = [(torch.arange(n, dtype=like.dtype, device=like.device) + 0.5) * 2 / n - 1 for n in extent]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
