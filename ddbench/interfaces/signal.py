"""What a signal is: its shape, its normalisation, its raw range. torch-free at import."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SignalSpec:
    """Shape and scale of the signals of a dataset, whatever their modality.

    Students see *normalised* float32 signals, (raw − mean) / std per channel. *raw* means: uint8 / 255 for 8-bit data,
    else the values as they come.
    """

    shape: tuple[int, ...]
    """Channels first: (c, h, w) images, (c, t) series, (d,) table rows (each column is a channel)."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: float | None = None
    """Lowest raw value, None where there is no bound."""
    high: float | None = None
    augmentation: str = ""
    """The dataset's augmentation, names of `ddbench.augment.families` joined by _; '' for none."""
    mask: bool = False
    """Whether the last channel is a mask, for series (c, t) of varying length: 1 where an item has values, 0 behind its
    end. There the other channels hold their mean, so that normalised padding is 0; the mask has mean 0 and std 1."""
    symbols: int = 0
    """How many, where values are symbols 0 … symbols − 1 (bytes of text), which students look up: no value lies between
    two of them. Normalised values are then the symbols themselves. 0: values are numbers."""

    def __post_init__(self) -> None:
        if self.mask and (len(self.shape) != 2 or self.shape[0] < 2 or (self.mean[-1], self.std[-1]) != (0.0, 1.0)):
            raise ValueError(
                f"a mask is the last channel of series (c, t), with mean 0 and std 1; signals of shape {self.shape} "
                f"have mean {self.mean[-1:]} and std {self.std[-1:]} there"
            )

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def extent(self) -> tuple[int, ...]:
        """Sizes of the axes behind the channels: (h, w), (t,) or ()."""
        return self.shape[1:]

    @property
    def bare(self) -> SignalSpec:
        """The same without the mask: what codecs store and budgets count (lengths are stored beside it)."""
        if not self.mask:
            return self
        shape = (self.channels - 1, *self.extent)
        return replace(self, shape=shape, mean=self.mean[:-1], std=self.std[:-1], mask=False)

    @property
    def strategy(self) -> str:
        """The augmentation as `ddbench.augment` draws it: of masked signals it leaves mask and padding alone."""
        return f"masked_{self.augmentation}" if self.mask and self.augmentation else self.augmentation

    @property
    def fits_image_files(self) -> bool:
        """Whether image files can hold the values: one channel or three on two axes, raw values between 0 and 1."""
        return len(self.shape) == 3 and self.channels in (1, 3) and (self.low, self.high) == (0, 1)

    def normalise(self, raw: Tensor) -> Tensor:
        """Float32 normalised signals from uint8 or float raw ones, `[..., *shape]` → `[..., *shape]`."""
        import torch

        mean, std = self._constants(raw)
        values = raw.float() / 255 if raw.dtype == torch.uint8 else raw.float()
        return (values - mean) / std

    def denormalise(self, x: Tensor) -> Tensor:
        """Float raw signals from normalised ones, not clipped."""
        mean, std = self._constants(x)
        return x * std + mean

    def _constants(self, like: Tensor) -> tuple[Tensor, Tensor]:
        import torch

        shape = (self.channels, *(1,) * len(self.extent))
        return (
            torch.tensor(self.mean, dtype=torch.float32, device=like.device).reshape(shape),
            torch.tensor(self.std, dtype=torch.float32, device=like.device).reshape(shape),
        )
