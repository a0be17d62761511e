"""Entropy-constrained vector quantisation: indices of patches that are cheap to write, written together."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.coding.context_coder import ContextCoder
from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.codebook import distances, fitted, sample
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.patches import from_patches, to_patches


class EcvqConfig(PluginConfig):
    """Arguments of `ecvq`."""

    patch: int = Field(4, ge=1, description="p: side of a patch along every axis behind the channels, in values.")
    size: int = Field(64, ge=2, le=256, description="Entries of the codebook.")
    rate_weight: float = Field(
        0.25, ge=0, description="λ: the squared error of a patch, in normalised values, that is taken for a bit less."
    )


class Ecvq(Codec):
    """Stores an index a patch, all items written together in as many bits as they surprise, and once a set a codebook.

    `x [c, S, S] → patches [t, c·p·p] → argmin ‖patch − entry‖² + λ·bits → indices [t] → context coder → bytes`
    `bytes → indices → entries → patches → x̂`

    The codebook is fitted by k-means on patches of the training set and is charged. Bits are those of an adaptive
    context model (place, class, neighbours: `ddbench.coding.context`), which the reader builds from the items as they
    are read, so that it costs nothing. An item's bytes depend on the items before it: only selectors use the codec,
    and a budget holds as many items as fit when written. With uint8 storage the codebook has one range.
    """

    version = "1"
    source = (
        "Chou, Lookabaugh and Gray 1989 (entropy-constrained vector quantisation); Duda 2013 (arXiv 1311.2540, rANS); "
        "Witten and Bell 1991 (contexts)"
    )
    Config = EcvqConfig
    differentiable = False

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without one or two axes to cut."""
        super().__init__(config, target)
        signal, p = target.signal, self.config.patch
        if len(signal.extent) not in (1, 2):
            raise SpecError(
                f"The codec 'ecvq' cuts one axis or two behind the channels; signals of shape {signal.shape} have "
                f"{len(signal.extent)}. Use 'pcaq' for table rows."
            )
        self.grid = tuple(-(-size // p) for size in signal.extent)
        self.d = signal.channels * p ** len(signal.extent)
        self.coder = ContextCoder(self.grid, self.config.size, target.n_classes)

    def leaves(self) -> tuple[Leaf, ...]:
        return (
            Leaf("codebook", "set", (1, self.config.size * self.d), learned=False),
            Leaf("indices", "item", (prod(self.grid),), dtype="uint8", learned=False, coder=self.coder),
        )

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The codebook. Raises: SpecError where the training set has fewer patches than the codebook has entries."""
        patches = sample(train, self._patches, generator, self.config.size, "ecvq")
        return {"codebook": fitted(patches, self.config.size, generator).reshape(1, -1)}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        patches, entries = self._patches(x), self._entries(shared).to(x)

        def cost(rows: np.ndarray, place: int) -> np.ndarray:
            here = patches[torch.from_numpy(rows).to(x.device), place]
            return 2 * distances(here, entries).double().cpu().numpy()

        return {"indices": self.coder.cheapest(y, cost, self.config.rate_weight).to(x.device)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError for an index beyond the codebook."""
        indices = dense(codes, "indices").long()
        if len(indices) and int(indices.max()) >= self.config.size:
            raise ArtifactError(
                f"Indices should be below {self.config.size}, the entries of the codebook; found {int(indices.max())}."
            )
        patches, signal = self._entries(codes)[indices], self.target.signal
        return one_signal_each(from_patches(patches, signal.channels, signal.extent, self.config.patch))

    def _entries(self, codes: Codes) -> Float[Tensor, "size d"]:
        return dense(codes, "codebook").reshape(self.config.size, self.d)

    def _patches(self, x: Float[Tensor, "m *shape"]) -> Float[Tensor, "m t d"]:
        return to_patches(x, self.config.patch)
