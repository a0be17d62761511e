"""The frequency codec: a code is the DCT coefficients that its class keeps."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs import bits
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.separable import along_extent, dct_matrix


class DctConfig(PluginConfig):
    """Arguments of `dct`."""

    keep: float = Field(
        1 / 8, gt=0, le=1, description="Share of the frequencies that a class keeps, unless m is given."
    )
    m: int | None = Field(None, ge=1, description="Frequencies that a class keeps, each with a coefficient a channel.")


class Dct(Codec):
    """Stores m DCT coefficients a channel, at the frequencies that a mask of the item's class names.

    `x → DCT → gather by mask[y] → F [c, m] → scatter by mask[y] → inverse DCT → x̂`

    The mask is chosen once from the initial signals of the class: mean over channels, then variance over items of each
    frequency, the largest m kept. One item has no variance; its squared magnitude stands in. Ties go to the lower
    frequency index, and coefficients stand in the order of that index. Since DCT and scatter are orthonormal, a step on
    coefficients moves the signal as far as a step on pixels. Masks name the class, so there is no code space.

    m is lowered until as many items fit with the mask as would fit at the asked m if the mask were free.
    """

    version = "1"
    source = "FreD, arXiv 2311.08819 (mask by the diagonal of the covariance, x = IDCT(mask ⊙ F))"
    Config = DctConfig

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without an axis to transform, or fewer frequencies than m."""
        super().__init__(config, target)
        self.extent = target.signal.extent
        self.positions = prod(self.extent)
        if not self.extent:
            raise SpecError(
                f"The codec 'dct' transforms the axes behind the channels; signals of shape {target.signal.shape} "
                "have none. Use 'identity' or 'pca' for table rows."
            )
        asked = self.config.m or max(1, int(self.config.keep * self.positions))
        if asked > self.positions:
            raise SpecError(
                f"The codec 'dct' was asked to keep m = {asked} frequencies; signals of shape {target.signal.shape} "
                f"have {self.positions}. Give an m up to that."
            )
        self.m = self._affordable(asked)

    def leaves(self) -> tuple[Leaf, ...]:
        return self._coefficients(self.m), self._mask()

    def _coefficients(self, m: int) -> Leaf:
        return Leaf("coefficients", "item", (self.target.signal.channels, m))

    def _mask(self) -> Leaf:
        size = -(-self.positions // 8)
        return Leaf("mask", "class", (size,), dtype="uint8", learned=False, side=True, quantise=False)

    def _affordable(self, asked: int) -> int:
        """The largest m ≤ asked such that the items that fit without the mask still fit with it; asked if none does."""
        cap_bytes = self.target.cap_bytes // self.target.n_classes
        mask_bytes = sum(self._mask().row_bytes(self.target.storage))
        payload, ranges = self._coefficients(asked).row_bytes(self.target.storage)
        items = max(1, cap_bytes // (payload + ranges))
        affordable = (cap_bytes - mask_bytes - items * ranges) // (items * payload // asked)
        return min(asked, affordable) if affordable >= 1 else asked

    def begin(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], generator: Generator) -> Codes:
        """The mask of each class. A class without an item keeps the m lowest frequency indices."""
        spectrum = self._transform(x.double()).flatten(2).mean(1)
        K = self.target.n_classes
        count = torch.bincount(y, minlength=K).to(spectrum)[:, None]
        zeros = spectrum.new_zeros(K, self.positions)
        mean = zeros.index_add(0, y, spectrum) / count.clamp(min=1)
        centre = torch.where(count > 1, mean, zeros)[y]
        score = zeros.index_add(0, y, (spectrum - centre) ** 2) / count.clamp(min=1)
        kept = score.sort(dim=1, descending=True, stable=True).indices[:, : self.m]
        mask = torch.zeros_like(zeros, dtype=torch.bool).scatter(1, kept, True)
        return {"mask": bits.pack(mask)}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"coefficients": self._transform(x).flatten(2).gather(2, self._index(shared, y))}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        kept = dense(codes, "coefficients")
        spectrum = kept.new_zeros(*kept.shape[:2], self.positions).scatter(2, self._index(codes, y), kept)
        signals = along_extent(spectrum.unflatten(2, self.extent), [dct_matrix(n).T for n in self.extent])
        return one_signal_each(signals)

    def _transform(self, x: Tensor) -> Tensor:
        return along_extent(x, [dct_matrix(n) for n in self.extent])

    def _index(self, codes: Codes, y: Int[Tensor, " m"]) -> Int[Tensor, "m c p"]:
        """Kept positions of each item, the same for every channel.

        Raises: ArtifactError where a class's mask does not hold m bits.
        """
        mask = bits.unpack(dense(codes, "mask"), self.positions)
        held = mask.sum(1)
        if bool((held != self.m).any()):
            raise ArtifactError(
                f"Every class's mask should keep {self.m} of {self.positions} frequencies; found {held.tolist()}."
            )
        index = mask.nonzero()[:, 1].reshape(len(mask), self.m).to(y.device)
        return index[y][:, None].expand(-1, self.target.signal.channels, -1)
