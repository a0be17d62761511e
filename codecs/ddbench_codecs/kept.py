"""Transforms of which each class, or the whole set, keeps some coefficients: what `dct` and `wavelet` share."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench.written import ADDED
from ddbench_codecs import bits
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.separable import along_extent

Mask = Annotated[
    Literal["class", "set"],
    ADDED,
    Field(description="Who shares a mask: the items of a class, which it marks as such, or all items."),
]


class KeptCoefficients(Codec):
    """Stores m coefficients a channel of a separable transform, at the positions that a mask names.

    `x → transform → gather by mask[y] → F [c, m] → scatter by mask[y] → inverse transform → x̂`

    The mask is chosen once from the initial signals of the class, or with `mask: set` of all classes as if they were
    one: mean over channels, then `score` of each position, the largest m kept. Ties go to the lower index, and
    coefficients stand in the order of that index. A mask a class marks the class's items, which networks that are
    trained on them learn (docs/measured.md), and so there is no code space; nor is there one for all items together,
    since a list of coefficients has no neighbours for a network to look at.

    m is lowered until as many items fit with the masks as would fit at the asked m if masks were free.
    """

    name: str
    """As in a suite file."""
    kept: str
    """What a coefficient is called."""

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """`config` has `m`, or else the share `keep`. Raises: SpecError for signals without an axis, or fewer."""
        super().__init__(config, target)
        self.extent = target.signal.extent
        self.positions = prod(self.extent)
        if not self.extent:
            raise SpecError(
                f"The codec {self.name!r} transforms the axes behind the channels; signals of shape "
                f"{target.signal.shape} have none. Use 'identity' or 'pca' for table rows."
            )
        asked = self.config.m or max(1, int(self.config.keep * self.positions))
        if asked > self.positions:
            raise SpecError(
                f"The codec {self.name!r} was asked to keep m = {asked} {self.kept}; signals of shape "
                f"{target.signal.shape} have {self.positions}. Give an m up to that."
            )
        self.m = self._affordable(asked)

    @abstractmethod
    def matrices(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(transform, inverse) of an axis of n values, `[n, n]` each."""

    @abstractmethod
    def score(self, spectrum: Float[Tensor, "m p"], group: Int[Tensor, " m"], groups: int) -> Float[Tensor, "g p"]:
        """How much each group of items that shares a mask wants each position, from its initial coefficients."""

    @property
    def masks(self) -> int:
        """How many the set has."""
        return self.target.n_classes if self.config.mask == "class" else 1

    def _mask_of(self, y: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
        """The row of each item's mask."""
        return y if self.config.mask == "class" else torch.zeros_like(y)

    def lr_scale(self) -> float:
        """Of the coefficients; 1 where the transform is orthonormal."""
        return 1.0

    def leaves(self) -> tuple[Leaf, ...]:
        return self._coefficients(self.m), self._mask()

    def _coefficients(self, m: int) -> Leaf:
        return Leaf("coefficients", "item", (self.target.signal.channels, m), lr_scale=self.lr_scale())

    def _mask(self) -> Leaf:
        size = -(-self.positions // 8)
        return Leaf("mask", self.config.mask, (size,), dtype="uint8", learned=False, side=True, quantise=False)

    def _affordable(self, asked: int) -> int:
        """The largest m ≤ asked such that the items that fit without masks still fit with them; asked if none does."""
        K, cap_bytes = self.target.n_classes, self.target.cap_bytes
        masks_bytes = self.masks * sum(self._mask().row_bytes(self.target.storage))
        payload, ranges = self._coefficients(asked).row_bytes(self.target.storage)
        items = max(1, cap_bytes // K // (payload + ranges))
        affordable = ((cap_bytes - masks_bytes) // K - items * ranges) // (items * payload // asked)
        return min(asked, affordable) if affordable >= 1 else asked

    def begin(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], generator: Generator) -> Codes:
        """The masks. A class without an item keeps the m lowest indices."""
        score = self.score(self._transform(x.double()).flatten(2).mean(1), self._mask_of(y), self.masks)
        kept = score.sort(dim=1, descending=True, stable=True).indices[:, : self.m]
        packed = bits.pack(torch.zeros_like(score, dtype=torch.bool).scatter(1, kept, True))
        return {"mask": packed if self.config.mask == "class" else packed[0]}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"coefficients": self._transform(x).flatten(2).gather(2, self._index(shared, y))}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        kept = dense(codes, "coefficients")
        spectrum = kept.new_zeros(*kept.shape[:2], self.positions).scatter(2, self._index(codes, y), kept)
        signals = along_extent(spectrum.unflatten(2, self.extent), [self.matrices(n)[1] for n in self.extent])
        return one_signal_each(signals)

    def _transform(self, x: Tensor) -> Tensor:
        return along_extent(x, [self.matrices(n)[0] for n in self.extent])

    def _index(self, codes: Codes, y: Int[Tensor, " m"]) -> Int[Tensor, "m c p"]:
        """Kept positions of each item, the same for every channel.

        Raises: ArtifactError where a mask does not hold m bits.
        """
        packed = dense(codes, "mask")
        mask = bits.unpack(packed if packed.dim() == 2 else packed[None], self.positions)
        held = mask.sum(1)
        if bool((held != self.m).any()):
            raise ArtifactError(
                f"Every mask should keep {self.m} of {self.positions} {self.kept}; found {held.tolist()}."
            )
        index = mask.nonzero()[:, 1].reshape(len(mask), self.m).to(y.device)
        return index[self._mask_of(y)][:, None].expand(-1, self.target.signal.channels, -1)


def group_means(values: Float[Tensor, "m p"], group: Int[Tensor, " m"], groups: int) -> Float[Tensor, "g p"]:
    """Mean of each group's rows; zeros for a group without any."""
    count = torch.bincount(group, minlength=groups).to(values)[:, None]
    return values.new_zeros(groups, values.shape[1]).index_add(0, group, values) / count.clamp(min=1)
