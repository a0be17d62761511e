"""From normalised signals to what an autoencoder takes, and back: range, colours, borders. Nothing is ever resized."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ddbench.errors import SpecError
from ddbench.interfaces.signal import SignalSpec


@dataclass(frozen=True)
class Pixels:
    """`x → denormalise → [low, high] onto the model's range → grey to 3 equal channels → edge repeated → pixels`

    Where f does not divide a side, its edge is repeated on both ends (half of the rest each, the odd one at the end)
    and cropped again after decoding. A grey signal of a colour model is decoded to the mean of its channels.
    """

    signal: SignalSpec
    channels: int
    """The model's."""
    f: int
    range: tuple[float, float]

    def __post_init__(self) -> None:
        """Raises: SpecError for signals that the model cannot take."""
        signal, said = self.signal, "An autoencoder's codec stores pictures"
        if len(signal.shape) != 3:
            raise SpecError(
                f"{said}, shape (channels, height, width); these signals have shape {signal.shape}. Use 'identity' or "
                "'pca'."
            )
        if signal.channels not in {1, self.channels}:
            raise SpecError(
                f"{said} of {self.channels} channels, as its model does, or grey ones; these signals have shape "
                f"{signal.shape}."
            )
        if min(signal.extent) < self.f:
            raise SpecError(
                f"{said} with sides of {self.f} pixels or more (a cell of the code is {self.f} × {self.f}); these "
                f"signals have shape {signal.shape}. Take a model of a smaller stride."
            )
        if signal.low is None or signal.high is None or signal.low >= signal.high:
            raise SpecError(
                f"{said}, whose values have a lowest and a highest; this dataset gives low = {signal.low} and high = "
                f"{signal.high}. Set both in its SignalSpec (0 and 1 for 8-bit images)."
            )

    @property
    def extent(self) -> tuple[int, int]:
        """Sides of what the model sees: multiples of f."""
        h, w = (-(-side // self.f) * self.f for side in self.signal.extent)
        return h, w

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Pixels added left, right, above, below."""
        (h, w), (H, W) = self.signal.extent, self.extent
        left, above = (W - w) // 2, (H - h) // 2
        return left, W - w - left, above, H - h - above

    def seen(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m k H W"]:
        """What the model sees of normalised signals."""
        factor, offset = self._affine(x)
        return F.pad((x * factor + offset).expand(-1, self.channels, -1, -1), self.padding, mode="replicate")

    def signals(self, pixels: Float[Tensor, "m k H W"]) -> Float[Tensor, "m c h w"]:
        """Normalised signals of what the model gives, not clipped."""
        (h, w), (left, _, above, _) = self.signal.extent, self.padding
        inner = pixels[..., above : above + h, left : left + w]
        if self.signal.channels < self.channels:
            inner = inner.mean(1, keepdim=True)
        factor, offset = self._affine(pixels)
        return (inner - offset) / factor

    def _affine(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(factor, offset) `[c, 1, 1]` that take normalised values to the model's."""
        signal, (black, white) = self.signal, self.range
        assert signal.low is not None
        assert signal.high is not None
        stretch = (white - black) / (signal.high - signal.low)
        mean, std = (torch.tensor(v, dtype=torch.float64).reshape(-1, 1, 1) for v in (signal.mean, signal.std))
        return (std * stretch).to(like), ((mean - signal.low) * stretch + black).to(like)
