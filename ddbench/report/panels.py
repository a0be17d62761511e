"""How one signal is drawn into a tile, chosen by the number of its axes: images, series, table rows. Imports torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import ceil, sqrt
from typing import Any

import torch
from torch import Tensor

from ddbench.interfaces.signal import SignalSpec

SPREAD_SD = 3.0
"""Colours of a table row span this many standard deviations of its column."""
FILL = 0.94
"""Share of a tile that is drawn on."""


class Renderer(ABC):
    """Draws raw signals into tiles of one pair of axes; a tile is `width` wide and one high, axes count downwards."""

    width: float = 1.0

    def __init__(self, spec: SignalSpec, raw: Tensor) -> None:
        """`raw` are all signals `[P, *shape]` of the picture: its tiles share one scale."""
        self.spec = spec
        self.low = spec.low if spec.low is not None else float(raw.min())
        self.high = spec.high if spec.high is not None else float(raw.max())

    @abstractmethod
    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        """Draws `signal` into the tile whose upper left corner is (left, top)."""

    def unit(self, signal: Tensor) -> Tensor:
        """The signal on the picture's scale, within [0, 1]."""
        return ((signal - self.low) / max(self.high - self.low, 1e-12)).clamp(0, 1)

    def image(self, ax: Any, pixels: Tensor, left: float, top: float, **look: Any) -> None:
        extent = (left, left + FILL * self.width, top + FILL, top)
        ax.imshow(pixels.numpy(), extent=extent, aspect="auto", interpolation="nearest", **look)


class Image(Renderer):
    """(c, h, w): colours for three channels, else grey, the mean over channels."""

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        unit = self.unit(signal)
        self.image(
            ax, unit.permute(1, 2, 0) if len(unit) == 3 else unit.mean(0), left, top, cmap="gray", vmin=0, vmax=1
        )


class Series(Renderer):
    """(c, t): a line a channel."""

    width = 2.0

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        places = left + FILL * self.width * torch.linspace(0, 1, max(2, signal.shape[1]))
        for i, channel in enumerate(self.unit(signal)):
            heights = top + FILL - FILL * channel.expand(len(places))
            ax.plot(places.numpy(), heights.numpy(), linewidth=0.8, color=f"C{i % 10}")


class TableRow(Renderer):
    """(d,): the standardised columns as colours, blue below the training mean, red above, wrapped to a rectangle."""

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        wide = ceil(sqrt(len(signal)))
        high = ceil(len(signal) / wide)
        cells = torch.full((high * wide,), float("nan"))
        cells[: len(signal)] = (signal - torch.tensor(self.spec.mean)) / torch.tensor(self.spec.std)
        self.image(ax, cells.reshape(high, wide), left, top, cmap="RdBu_r", vmin=-SPREAD_SD, vmax=SPREAD_SD)


class FirstSlice(Image):
    """(c, …, h, w): the first slice of every axis between the channels and the last two."""

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        while signal.dim() > 3:
            signal = signal[:, 0]
        super().__call__(ax, signal, left, top)


BY_AXES: dict[int, type[Renderer]] = {1: TableRow, 2: Series, 3: Image}


def renderer(spec: SignalSpec, raw: Tensor) -> Renderer:
    """The renderer for signals of this shape; those of more than three axes are shown by a slice."""
    return BY_AXES.get(len(spec.shape), FirstSlice)(spec, raw)
