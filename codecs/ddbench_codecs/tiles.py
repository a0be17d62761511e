"""The multi-formation codec: a code is a mosaic of small signals, each of which is one training signal."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.items import dense
from ddbench_codecs.separable import along_extent, resize_matrix


class TilesConfig(PluginConfig):
    """Arguments of `tiles`."""

    factor: int = Field(2, ge=2, description="f: tiles along every axis behind the channels; fᵃ on a axes.")


class Tiles(Codec):
    """Stores a mosaic `[c, S, …]`, as large as one signal, of f tiles along each of its a axes: fᵃ signals an item.

    `fᵃ × x [c, S, S] → antialiased linear resize → tiles [c, t, t], t = ⌈S/f⌉ → mosaic [c, f·t, f·t] → crop`
    `[c, S, S] → pad with grey → mosaic [c, f·t, f·t] → cut → linear resize → fᵃ × x̂ [c, S, S], tile by tile`

    Where f does not divide S the mosaic is padded at the far end of each axis with the middle of the raw range (0.5 for
    images; the mean where there are no bounds), so the last tiles have an edge that is grey and not learned.

    At equal bytes this is `downsample` item for item (the same draws, rates and gradients) where f divides S, values
    are stored as floats, and the items that `downsample` fits are a multiple of fᵃ. Otherwise they differ: `downsample`
    stores whole tiles, which cost more than a mosaic and have no grey edge; it fills the cap by the tile; as uint8 it
    pays for a range a tile, where a mosaic has one for all of its tiles, cheaper and coarser. Soft labels, too, are one
    row a mosaic.

    There is no code space: a code stands for fᵃ signals, and a real signal has no mosaic of its own. Matching on tiles
    is `downsample` in code space.
    """

    version = "1"
    source = "IDC, arXiv 2205.14959 (multi-formation, single factor; bilinear, align_corners off); protocols.md §8.3"
    Config = TilesConfig

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without an axis to cut, or too short for f tiles."""
        super().__init__(config, target)
        signal, f = target.signal, self.config.factor
        if not signal.extent:
            raise SpecError(
                f"The codec 'tiles' cuts the axes behind the channels; signals of shape {signal.shape} have none. Use "
                "'identity' or 'pca' for table rows."
            )
        self.tile = tuple(-(-size // f) for size in signal.extent)
        if any((f - 1) * t >= size for size, t in zip(signal.extent, self.tile)):
            raise SpecError(
                f"The codec 'tiles' was asked for factor = {f}; of {f} tiles of {self.tile} the last lies outside a "
                f"signal of shape {signal.shape}. Give a smaller factor."
            )
        self.signals_per_item = f ** len(self.tile)
        if signal.low is None or signal.high is None:
            self.grey = (0.0,) * signal.channels
        else:
            middle = (signal.low + signal.high) / 2
            self.grey = tuple((middle - mean) / std for mean, std in zip(signal.mean, signal.std))

    def leaves(self) -> tuple[Leaf, ...]:
        """One mosaic an item; its rate is scaled as that of a tile of `downsample`."""
        signal = self.target.signal
        return (Leaf("mosaic", "item", signal.shape, lr_scale=prod(self.tile) / prod(signal.extent)),)

    def encode(self, x: Float[Tensor, "m_s *shape"], y: Int[Tensor, " m_s"], shared: Codes) -> Codes:
        f, axes, extent = self.config.factor, len(self.tile), self.target.signal.extent
        tiles = along_extent(x, [resize_matrix(s, t) for s, t in zip(extent, self.tile)])
        grid = tiles.unflatten(0, (-1, *(f,) * axes)).movedim(1 + axes, 1)
        # [m, c, f, …, t, …] → [m, c, f, t, f, t, …]
        order = [2 + i + half * axes for i in range(axes) for half in (0, 1)]
        mosaic = grid.permute(0, 1, *order).reshape(len(grid), -1, *(f * t for t in self.tile))
        for axis, size in enumerate(extent, 2):
            mosaic = mosaic.narrow(axis, 0, size)
        return {"mosaic": mosaic.contiguous()}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """The signals tile by tile: those of every item's first tile, then those of every second."""
        f, axes = self.config.factor, len(self.tile)
        mosaic = self._padded(dense(codes, "mosaic"))
        for i, t in enumerate(self.tile):
            mosaic = mosaic.unflatten(2 + 2 * i, (f, t))
        # [m, c, f, t, f, t, …] → [f, …, m, c, t, …]
        tiles = mosaic.permute(*range(2, 2 + 2 * axes, 2), 0, 1, *range(3, 3 + 2 * axes, 2)).flatten(0, axes)
        up = [resize_matrix(t, s) for s, t in zip(self.target.signal.extent, self.tile)]
        source = torch.arange(len(mosaic), device=mosaic.device).repeat(self.signals_per_item)
        return Decoded(along_extent(tiles, up), source)

    def _padded(self, mosaic: Float[Tensor, "m c *extent"]) -> Float[Tensor, "m c *padded"]:
        """The mosaic grown to whole tiles, grey where it has grown."""
        lack = [self.config.factor * t - s for s, t in zip(self.target.signal.extent, self.tile)]
        if not any(lack):
            return mosaic
        ends = [n for size in reversed(lack) for n in (0, size)]
        beyond = 1 - torch.nn.functional.pad(torch.ones_like(mosaic[:1]), ends)
        grey = torch.tensor(self.grey, dtype=mosaic.dtype, device=mosaic.device).reshape(-1, *(1,) * len(lack))
        return torch.nn.functional.pad(mosaic, ends) + beyond * grey
