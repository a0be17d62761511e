"""The down-sampling codec: a code is the signal at 1/factor of its resolution."""

from __future__ import annotations

from math import prod

from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.separable import along_extent, resize_matrix


class DownsampleConfig(PluginConfig):
    """Arguments of `downsample`."""

    factor: int = Field(2, ge=2, description="Factor by which every axis behind the channels shrinks.")


class Downsample(Codec):
    """Stores a tile `[c, ⌈S/f⌉, …]` of a signal `[c, S, …]` and resizes it linearly (bilinear on images) to full size.

    `x [c, S, S] → antialiased linear resize → tile [c, ⌈S/f⌉, ⌈S/f⌉] → linear resize → x̂ [c, S, S]`

    Where f does not divide S the tile is resized straight between S and ⌈S/f⌉, without IDC's grey padding: the tile
    costs the same bytes and none of them holds padding.

    A gradient reaches the tile as Jᵀg and moves the signal by JJᵀg, and ‖JJᵀ‖ ≈ ∏ S/⌈S/f⌉ (f² on images that f
    divides): the tile's learning rate is scaled by the inverse, so a step moves smooth signals as far as a pixel's.
    """

    version = "1"
    source = "IDC, arXiv 2205.14959 (multi-formation: tiles resized bilinearly, align_corners off)"
    Config = DownsampleConfig
    code_leaf = "x"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without an axis to shrink."""
        super().__init__(config, target)
        extent = target.signal.extent
        if not extent:
            raise SpecError(
                f"The codec 'downsample' shrinks the axes behind the channels; signals of shape {target.signal.shape} "
                "have none. Use 'identity' or 'pca' for table rows."
            )
        self.tile = tuple(-(-size // self.config.factor) for size in extent)

    def leaves(self) -> tuple[Leaf, ...]:
        signal = self.target.signal
        scale = prod(self.tile) / prod(signal.extent)
        return (Leaf("x", "item", (signal.channels, *self.tile), lr_scale=scale),)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"x": along_extent(x, [resize_matrix(s, t) for s, t in zip(self.target.signal.extent, self.tile)])}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        up = [resize_matrix(t, s) for s, t in zip(self.target.signal.extent, self.tile)]
        return one_signal_each(along_extent(dense(codes, "x"), up))

    def code_augmentation(self, strategy: str) -> str:
        """Tiles are small signals, so all of it."""
        return strategy
