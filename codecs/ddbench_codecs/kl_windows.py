"""Windows of pictures to train an autoencoder on: cut at several scales, mirrored, turned, inverted, in [−1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn.functional import interpolate, pad

from ddbench import rng
from ddbench.errors import DataError, SpecError
from ddbench.interfaces.codec_training import TrainingSet
from ddbench_codecs.kl_config import KlTrainConfig

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue. Source: ITU-R BT.601."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of one dataset, raw `[N, c, h, w]`, split into those trained on and those held out."""

    raw: Tensor
    low: float
    high: float
    train: Int[Tensor, " n"]
    held_out: Int[Tensor, " v"]


def pictures(of: TrainingSet, config: KlTrainConfig) -> Pictures:
    """A dataset's pictures. Raises: SpecError where it holds no pictures in a known range, DataError where too few."""
    shape, n = of.signal.shape, len(of.train)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise SpecError(
            f"An autoencoder is trained on grey or RGB pictures; signals of {of.name!r} have shape {shape}."
        )
    byte = of.train.signals.dtype == torch.uint8
    low, high = (0.0, 255.0) if byte else (of.signal.low, of.signal.high)
    if low is None or high is None:
        raise SpecError(
            f"The signals of {of.name!r} have no bounds, so they cannot be brought to [−1, 1]. Leave that dataset out."
        )
    held = min(config.most_held_out, max(1, round(n * config.held_out)))
    if n <= held:
        raise DataError(f"{of.name!r} has {n} training pictures; to train and to validate it takes two or more.")
    order = torch.randperm(n, generator=rng.generator("codec training held out", name=of.name, revision=of.revision))
    return Pictures(of.train.signals, low, high, order[held:], order[:held])


def windows(
    of: Pictures, index: Int[Tensor, " b"], config: KlTrainConfig, draw: Generator
) -> Float[Tensor, "b c crop crop"]:
    """A window of each picture `index`, all of one drawn scale, augmented."""
    x = _in_range(of, index, config.in_channels)
    # A picture no larger than the window gets a rim of its outermost values, so that the code's grid moves over it.
    short = [max(0, config.crop + config.f - side) for side in x.shape[2:]]
    if any(short):
        rim = [short[1] // 2, short[1] - short[1] // 2, short[0] // 2, short[0] - short[0] // 2]
        x = pad(x, rim, mode="replicate")
    largest = min(min(of.raw.shape[2:]), config.crop * config.zoom)
    growth = max(0.0, log(max(largest, config.crop) / config.crop))
    side = round(config.crop * torch.exp(torch.rand((), generator=draw) * growth).item())
    x = _cut(x, side, draw)
    if side != config.crop:
        x = interpolate(x, (config.crop, config.crop), mode="bilinear", antialias=True)
    return _augmented(x, config, draw)


def _in_range(of: Pictures, index: Tensor, channels: int) -> Tensor:
    x = of.raw[index].float()
    if channels == 1 and x.shape[1] == 3:
        x = (x * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    x = (x - of.low) * (2 / (of.high - of.low)) - 1
    return x.expand(-1, channels, -1, -1)


def _cut(x: Tensor, side: int, draw: Generator) -> Tensor:
    """A square of that side out of each picture, anywhere."""
    b, c, h, w = x.shape
    rows = torch.randint(h - side + 1, (b, 1), generator=draw) + torch.arange(side)
    columns = torch.randint(w - side + 1, (b, 1), generator=draw) + torch.arange(side)
    item, channel = torch.arange(b)[:, None, None, None], torch.arange(c)[:, None, None]
    return x[item, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _augmented(x: Tensor, config: KlTrainConfig, draw: Generator) -> Tensor:
    def some(probability: float) -> Tensor:
        return (torch.rand(len(x), generator=draw) < probability)[:, None, None, None]

    if config.symmetries:
        for turned in (lambda x: x.flip(3), lambda x: x.flip(2), lambda x: x.transpose(2, 3)):
            x = torch.where(some(0.5), turned(x), x)
    x = torch.where(some(config.invert), -x, x)
    gain = 0.4 + 0.6 * torch.rand((len(x), 1, 1, 1), generator=draw)
    shift = (1 - gain) * (2 * torch.rand((len(x), 1, 1, 1), generator=draw) - 1)
    return torch.where(some(config.gain), gain * x + shift, x)


@dataclass(frozen=True)
class Batches:
    """What each step is trained on: a function of the seed and the step alone, so that nothing of it is stored."""

    sets: tuple[Pictures, ...]
    config: KlTrainConfig

    def __post_init__(self) -> None:
        """Raises: SpecError where `shares` do not say how many windows each dataset gives."""
        shares = self.config.shares
        if shares and (len(shares) != len(self.sets) or min(shares) < 0 or sum(shares) != self.config.batch):
            raise SpecError(
                f"shares is {list(shares)}; it should give {len(self.sets)} whole numbers, one a dataset, that sum to "
                f"the batch of {self.config.batch}."
            )
        if not shares and self.config.batch < len(self.sets):
            raise SpecError(f"A batch of {self.config.batch} has no room for {len(self.sets)} datasets.")

    def at(self, draw: Generator) -> Float[Tensor, "b c crop crop"]:
        """The windows of one step."""
        parts = [
            windows(s, s.train[torch.randint(len(s.train), (n,), generator=draw)], self.config, draw)
            for s, n in zip(self.sets, self._shares())
            if n
        ]
        return torch.cat(parts)

    def held_out(self) -> tuple[Float[Tensor, "v c crop crop"], ...]:
        """The windows that are validated on, of each dataset; the same whatever the seed."""
        draw = rng.generator("codec training validation")
        return tuple(windows(s, s.held_out, self.config, draw) for s in self.sets)

    def _shares(self) -> tuple[int, ...]:
        n = len(self.sets)
        return self.config.shares or tuple(
            (self.config.batch * (i + 1)) // n - self.config.batch * i // n for i in range(n)
        )
