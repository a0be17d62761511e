"""Fits a small decoder on a training set: with an encoder that is then thrown away, and then with codes solved for."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from ddbench.interfaces.dataset import Source
from ddbench_codecs.adam import Adam
from ddbench_codecs.subpixel import KERNEL, Subpixel

MOST_VALUES = 2**26
"""Values of training signals that are held, drawn at random where there are more (256 MiB)."""
BATCH = 128
ENCODER_WIDTH = 24


def held(train: Source, generator: Generator) -> Float[Tensor, "n *shape"]:
    """All training signals, or as many random ones as are held."""
    most, kept, start = len(train), [], 0
    chosen: Tensor | None = None
    for x, _ in train.batches(1024):
        if chosen is None:
            most = min(len(train), max(1, MOST_VALUES // x[0].numel()))
            chosen = torch.zeros(len(train), dtype=torch.bool)
            chosen[torch.randperm(len(train), generator=generator)[:most]] = True
        kept.append(x[chosen[start : start + len(x)].to(x.device)])
        start += len(x)
    return torch.cat(kept)


class Encoder:
    """Strided convolutions from signals to standardised codes; only the fit uses it."""

    def __init__(self, decoder: Subpixel, generator: Generator) -> None:
        self.decoder, self.axes = decoder, len(decoder.extent)
        self.stages = max(1, (decoder.factor - 1).bit_length())
        widths = [decoder.channels, *[ENCODER_WIDTH] * self.stages, decoder.code_channels]
        self.params = []
        for n_in, n_out in pairwise(widths):
            inputs = n_in * KERNEL**self.axes
            kernel = torch.randn(n_out, n_in, *(KERNEL,) * self.axes, generator=generator) * (2 / inputs) ** 0.5
            self.params += [kernel, torch.zeros(n_out)]
        if decoder.vector is not None:
            d = torch.Size(decoder.map_shape).numel()
            self.params.append(torch.randn(d, decoder.vector, generator=generator) * d**-0.5)

    def __call__(self, params: list[Tensor], x: Float[Tensor, "m c *extent"]) -> Float[Tensor, "m *code"]:
        conv = F.conv2d if self.axes == 2 else F.conv1d
        for stage in range(self.stages):
            stride = 2 if 2 ** (stage + 1) <= self.decoder.factor else 1
            x = F.silu(conv(x, params[2 * stage], params[2 * stage + 1], stride=stride, padding=1))
        u = conv(x, params[2 * self.stages], params[2 * self.stages + 1], padding=1)
        if u.shape[2:] != self.decoder.tile:
            u = F.interpolate(u, self.decoder.tile, mode="bilinear" if self.axes == 2 else "linear")
        if self.decoder.vector is None:
            axes = (0, *range(2, u.dim()))
            return (u - u.mean(axes, keepdim=True)) / (u.std(axes, keepdim=True) + 1e-5)
        z = u.flatten(1) @ params[-1]
        return (z - z.mean(0)) / (z.std(0) + 1e-5)


def fit_decoder(
    decoder: Subpixel, signals: Float[Tensor, "n *shape"], generator: Generator, steps: int, rate: float
) -> dict[str, Tensor]:
    """Weights that reconstruct training signals best in the mean square, from codes of mean 0 and variance 1."""
    encoder = Encoder(decoder, generator)
    weights = decoder.first(generator)
    params = [p.to(signals).requires_grad_() for p in (*weights.values(), *encoder.params)]
    adam = Adam(params, rate, steps)
    n = len(weights)
    with torch.enable_grad():
        for _ in range(steps):
            x = signals[torch.randint(len(signals), (BATCH,), generator=generator).to(signals.device)]
            z = encoder(params[n:], x)
            loss = (decoder(dict(zip(weights, params[:n])), z) - x).square().mean()
            adam.descend(torch.autograd.grad(loss, params))
    return {name: p.detach() for name, p in zip(weights, params)}
