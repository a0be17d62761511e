"""How one signal is drawn into a tile, chosen by the number of its axes: maps, series, rows. Imports torch."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import torch
from torch import Tensor

from ddbench.interfaces.display import Display, DisplayOf
from ddbench.interfaces.signal import SignalSpec

SPREAD_SD = 3.0
"""Colours of a table row span this many standard deviations of its column."""
FILL = 0.94
"""Share of a tile that is drawn on."""


class Tile(Display):
    """What the displays by axes share."""

    def unit(self, signal: Tensor) -> Tensor:
        """The signal on the picture's scale, within [0, 1]."""
        return ((signal - self.low) / max(self.high - self.low, 1e-12)).clamp(0, 1)

    def image(self, ax: Any, pixels: Tensor, left: float, top: float, **look: Any) -> None:
        extent = (left, left + FILL * self.width, top + FILL, top)
        ax.imshow(pixels.numpy(), extent=extent, aspect="auto", interpolation="nearest", **look)


class Image(Tile):
    """(c, h, w): colours for three channels, else grey, the mean over channels."""

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        unit = self.unit(signal)
        self.image(
            ax, unit.permute(1, 2, 0) if len(unit) == 3 else unit.mean(0), left, top, cmap="gray", vmin=0, vmax=1
        )


class Series(Tile):
    """(c, t): a line a channel, as far as a masked signal has values."""

    width = 2.0

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        places = left + FILL * self.width * torch.linspace(0, 1, max(2, signal.shape[1]))
        values, length = unmasked(self.spec, signal)
        for i, channel in enumerate(self.unit(values)):
            heights = top + FILL - FILL * channel.expand(len(places))
            ax.plot(places[:length].numpy(), heights[:length].numpy(), linewidth=0.8, color=f"C{i % 10}")


class Spectrogram(Tile):
    """(bands, t): a time-frequency map, the lowest band at the bottom, as far as a masked signal has values."""

    width = 2.0

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        values, length = unmasked(self.spec, signal)
        shown = self.unit(values).flip(0)
        shown[:, length:] = float("nan")
        self.image(ax, shown, left, top, cmap="magma", vmin=0, vmax=1)


def unmasked(spec: SignalSpec, signal: Tensor) -> tuple[Tensor, int]:
    """(the signal without its mask, how many of its positions have values)."""
    if not spec.mask:
        return signal, signal.shape[-1] if spec.extent else 1
    return signal[:-1], int((signal[-1] > 0.5).sum())


class TableRow(Tile):
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


BY_AXES: dict[int, type[Display]] = {1: TableRow, 2: Series, 3: Image}


def by_axes(spec: SignalSpec, raw: Tensor, own: DisplayOf | None = None) -> Display:
    """The dataset's own display, else the one for signals of this many axes; of more than three a slice is shown."""
    return (own or BY_AXES.get(len(spec.shape), FirstSlice))(spec, raw)
