"""A decoder with one hidden layer for table rows: its fit with an encoder that is thrown away, and the nearest code."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ddbench import rng
from ddbench_codecs.adam import Adam
from ddbench_codecs.blocks import in_blocks

BATCH = 128
ENCODER_WIDTH = 64
TRIES = 3
"""Fits from other first weights, of which the nearest to the training rows is kept."""
REACH = 4
"""Codes end at this many √d on either side: behind it tanh is flat, and numbers would grow without use."""
STARTS = 1024
"""Codes among which the search for the nearest one begins: a curved surface comes near to a row in several places."""
BLOCK = 64


class Hidden(NamedTuple):
    """x̂ = b + W tanh(A z + a), rows of codes times matrices: A `[k, h]`, a `[h]`, W `[h, d]`, b `[d]`."""

    into: Tensor
    into_bias: Tensor
    out: Tensor
    out_bias: Tensor

    def __call__(self, z: Float[Tensor, "m k"]) -> Float[Tensor, "m d"]:
        return self.out_bias + self._inner(z) @ self.out

    def slope(self, z: Float[Tensor, "m k"]) -> Float[Tensor, "m k d"]:
        """∂x̂/∂z of each item."""
        return (self.into * (1 - self._inner(z).square())[:, None]) @ self.out

    def _inner(self, z: Tensor) -> Float[Tensor, "m h"]:
        return torch.tanh(z @ self.into + self.into_bias)

    def nearest(self, x: Float[Tensor, "m d"], steps: int) -> Float[Tensor, "m k"]:
        """min over z of ‖x̂(z) − x‖² by Levenberg and Marquardt's steps, in float64, item by item."""
        exact, k = Hidden(*(w.double() for w in self)), len(self.into)
        draw = rng.generator("hidden-starts", k=k)
        unit = x.shape[1] ** 0.5
        starts = torch.randn(STARTS, k, generator=draw, dtype=torch.float64).to(x.device) * unit
        decoded = exact(starts)

        def solve(x: Tensor) -> Tensor:
            z = starts[(x[:, None] - decoded).square().sum(2).argmin(1)]
            damping, gap = x.new_full((len(x),), 0.01), x - exact(z)
            for _ in range(steps):
                j = exact.slope(z)
                curvature = j @ j.mT
                least = (damping * (curvature.diagonal(dim1=1, dim2=2).mean(1) + 1e-9))[:, None, None]
                inverse = torch.linalg.inv(curvature + least * torch.eye(k).to(x))
                tried = (z + (inverse @ (j @ gap[:, :, None]))[..., 0]).clamp(-REACH * unit, REACH * unit)
                left = x - exact(tried)
                better = left.square().sum(1) < gap.square().sum(1)
                z, gap = torch.where(better[:, None], tried, z), torch.where(better[:, None], left, gap)
                damping = torch.where(better, damping / 3, damping * 4).clamp(1e-9, 1e9)
            return z

        return in_blocks(solve, x.double(), BLOCK).to(x)


def fit_hidden(x: Float[Tensor, "n d"], k: int, h: int, generator: Generator, steps: int, rate: float) -> Hidden:
    """The decoder that is nearest to the rows; a step on its codes moves rows as far, on average, as one on values."""
    return min((_fit(x, k, h, generator, steps, rate) for _ in range(TRIES)), key=lambda fit: fit[0])[1]


def _fit(
    x: Float[Tensor, "n d"], k: int, h: int, generator: Generator, steps: int, rate: float
) -> tuple[float, Hidden]:
    sizes = ((x.shape[1], ENCODER_WIDTH), (ENCODER_WIDTH, k), (k, h), (h, x.shape[1]))
    params = []
    for n_in, n_out in sizes:
        params += [torch.randn(n_in, n_out, generator=generator) * n_in**-0.5, torch.zeros(n_out)]
    params = [p.to(x).requires_grad_() for p in params]

    def codes(rows: Tensor) -> Tensor:
        z = torch.relu(rows @ params[0] + params[1]) @ params[2] + params[3]
        return (z - z.mean(0)) / (z.std(0, correction=0) + 1e-5)

    adam = Adam(params, rate, steps)
    with torch.enable_grad():
        for _ in range(steps):
            rows = x[torch.randint(len(x), (BATCH,), generator=generator).to(x.device)]
            loss = (Hidden(*params[4:])(codes(rows)) - rows).square().mean()
            adam.descend(torch.autograd.grad(loss, params))
    with torch.no_grad():
        found, z = Hidden(*(p.detach() for p in params[4:])), codes(x)
        error = float((found(z) - x).square().mean())
        gain = torch.linalg.matrix_norm(found.slope(z), 2).square().mean().sqrt()
        return error, found._replace(into=found.into / gain)
