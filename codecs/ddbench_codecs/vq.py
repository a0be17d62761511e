"""The vector-quantising codec: a code names, for each patch of a signal, an entry of a codebook."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.bits import pack_numbers, unpack_numbers
from ddbench_codecs.codebook import fitted, nearest, sample
from ddbench_codecs.items import dense, items_held, one_signal_each
from ddbench_codecs.patches import from_patches, to_patches
from ddbench_codecs.separable import along_extent, resize_matrix


class VqConfig(PluginConfig):
    """Arguments of `vq`."""

    patch: int = Field(4, ge=1, description="p: side of a patch along every axis behind the channels, in values.")
    size: int = Field(256, ge=2, le=65536, description="Entries of a codebook; an index takes ⌈log₂ size⌉ bits.")
    stages: int = Field(1, ge=1, le=16, description="Codebooks: each stage quantises what the stages before it left.")
    factor: int = Field(1, ge=1, description="Factor by which every axis shrinks before it is cut.")


class Vq(Codec):
    """Stores an index a patch and stage, packed in ⌈log₂ size⌉ bits each, and once a set the codebooks.

    `x [c, S, S] → linear resize by 1/f → patches [t, c·p·p] → nearest entry of each stage → indices [t · stages]`
    `indices → sum of entries → patches → signal at 1/f → linear resize → x̂`

    Codebooks are fitted by k-means on patches of the training set, stage by stage on what is left, and are charged, in
    the storage type: of use once a class holds many items. Where p does not divide the side its edge is repeated
    before cutting and cropped after. With uint8 storage a stage's codebook has one range.

    Indices are whole numbers and stay as encoded; the codebooks are shared by all patches of the set and are learned.
    An entry used N times moves the signals by N·g at each step on it, so the rate is scaled by the inverse of the mean
    N = M·t/size (and of the resize's gain): right on average, longer for an entry that many patches share (empty
    background). There is no code space.
    """

    version = "1"
    source = "Gersho and Gray 1992, §11 (k-means codebooks) and §12.11 (multistage: each stage codes the residual)"
    Config = VqConfig

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without an axis to cut."""
        super().__init__(config, target)
        signal, p = target.signal, self.config.patch
        if not signal.extent:
            raise SpecError(
                f"The codec 'vq' cuts the axes behind the channels; signals of shape {signal.shape} have none. Use "
                "'pcaq' for table rows."
            )
        self.small = tuple(-(-size // self.config.factor) for size in signal.extent)
        self.patches = prod(-(-size // p) for size in self.small)
        self.d = signal.channels * p ** len(self.small)
        self.widths = [ceil(np.log2(self.config.size))] * (self.patches * self.config.stages)
        self.item_bytes = -(-sum(self.widths) // 8)

    def leaves(self) -> tuple[Leaf, ...]:
        codebook = Leaf("codebook", "set", (self.config.stages, self.config.size * self.d))
        indices = Leaf("indices", "item", (self.item_bytes,), dtype="uint8", learned=False)
        uses = items_held((codebook, indices), self.target) * self.patches / self.config.size
        gain = prod(self.target.signal.extent) / prod(self.small)
        return replace(codebook, lr_scale=1 / (max(1.0, uses) * gain)), indices

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The codebooks. Raises: SpecError where the training set has fewer patches than a codebook has entries."""
        found, left = [], sample(train, self._patches, generator, self.config.size, "vq")
        for _ in range(self.config.stages):
            entries = fitted(left, self.config.size, generator)
            found.append(entries)
            left = left - entries[nearest(left, entries)]
        return {"codebook": torch.stack(found).flatten(1)}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        left = self._patches(x).flatten(0, 1)
        indices = []
        for entries in self._entries(shared).to(x):
            indices.append(nearest(left, entries))
            left = left - entries[indices[-1]]
        numbers = torch.stack(indices, 1).reshape(len(x), -1)
        return {"indices": pack_numbers(numbers, self.widths, self.item_bytes)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError for an index beyond the codebook."""
        entries, stages = self._entries(codes), range(self.config.stages)
        numbers = unpack_numbers(dense(codes, "indices"), self.widths).unflatten(1, (self.patches, -1))
        if int(numbers.max()) >= self.config.size:
            raise ArtifactError(
                f"Indices should be below {self.config.size}, the entries of a codebook; found {int(numbers.max())}."
            )
        patches = torch.stack([entries[s][numbers[..., s]] for s in stages]).sum(0)
        small = from_patches(patches, self.target.signal.channels, self.small, self.config.patch)
        return one_signal_each(self._resized(small, self.small, self.target.signal.extent))

    def _entries(self, codes: Codes) -> Float[Tensor, "stages size d"]:
        return dense(codes, "codebook").unflatten(1, (self.config.size, self.d))

    def _patches(self, x: Float[Tensor, "m *shape"]) -> Float[Tensor, "m t d"]:
        return to_patches(self._resized(x, self.target.signal.extent, self.small), self.config.patch)

    def _resized(self, x: Tensor, there: tuple[int, ...], here: tuple[int, ...]) -> Tensor:
        if self.config.factor == 1:
            return x
        return along_extent(x, [resize_matrix(a, b) for a, b in zip(there, here)])
