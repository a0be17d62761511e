"""The quantised PCA codec: a code is a handful of bytes, a few bits for each principal component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

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
from ddbench_codecs import gaussian
from ddbench_codecs.bits import pack_numbers, unpack_numbers
from ddbench_codecs.components import principal_components, rows
from ddbench_codecs.items import dense, items_held, one_signal_each
from ddbench_codecs.separable import along_extent, dct_matrix


class PcaqConfig(PluginConfig):
    """Arguments of `pcaq`."""

    components: int = Field(16, ge=1, description="k: components that share an item's bits, rows of the basis.")
    bits: int = Field(64, ge=1, description="Bits of an item, stored as whole bytes.")
    factor: int = Field(
        2, ge=1, description="f: the basis holds the lowest 1/f of the frequencies of every axis behind the channels."
    )


class Pcaq(Codec):
    """Stores `bits` bits an item, and once a set a basis `[k, d']` and a mean `[d']` of its low frequencies.

    `x → DCT, lowest ⌈S/f⌉ of each axis → u [d'] → (u − μ)·b_j/‖b_j‖² → nearest of 2^w_j levels → Σ w_j bits`
    `bits → levels q [k] → μ + Σ q_j b_j → inverse DCT → x̂`

    The rows b_j are the principal components of u, each as long as the component's deviation, so that coordinates have
    variance 1 and share one table of levels, that of the normal distribution, which costs nothing. The widths w_j, a
    byte each, give every bit to the component whose error it lowers most. All of it is charged: of use once a class
    holds many items, whose price is then some bytes. Table rows have no frequencies: d' is d.

    Codes are whole numbers and stay as encoded. Basis and mean are shared by all M items of the set and are learned:
    a step moves signals by JJᵀg, and ‖JJᵀ‖ ≈ M for coordinates of variance 1, hence a rate scaled by 1/M. There is no
    code space.
    """

    version = "1"
    source = (
        "Pearson 1901 (components); Max 1960 (levels); Gersho and Gray 1992, §8.4 (bits); transform coding as in "
        "Huang and Schultheiss 1963"
    )
    Config = PcaqConfig

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for more components than values, or more bits than the components can hold."""
        super().__init__(config, target)
        k, bits, f = self.config.components, self.config.bits, self.config.factor
        signal = target.signal
        self.low = tuple(-(-size // f) for size in signal.extent)
        self.d = signal.channels * prod(self.low)
        if k > self.d:
            raise SpecError(
                f"The codec 'pcaq' was asked for {k} components; signals of shape {signal.shape} have {self.d} values "
                f"of low frequency at factor = {f}. Give up to that many, or a smaller factor."
            )
        if bits > gaussian.MOST_BITS * k:
            raise SpecError(
                f"The codec 'pcaq' was asked for {bits} bits; {k} components take up to {gaussian.MOST_BITS} each. "
                f"Give up to {gaussian.MOST_BITS * k} bits, or more components."
            )

    def leaves(self) -> tuple[Leaf, ...]:
        k = self.config.components
        shared = Leaf("basis", "set", (k, self.d)), Leaf("mean", "set", (self.d,))
        fixed = (
            Leaf("code", "item", (-(-self.config.bits // 8),), dtype="uint8", learned=False),
            Leaf("widths", "set", (k,), dtype="uint8", learned=False),
        )
        scale = 1 / items_held((*shared, *fixed), self.target)
        return (*(replace(leaf, lr_scale=scale) for leaf in shared), *fixed)

    def fit(self, train: Source, generator: Generator) -> Codes:
        """Basis, mean and widths. Raises: SpecError where the training set has too few signals for the components."""
        k = self.config.components
        if k >= len(train):
            raise SpecError(
                f"The codec 'pcaq' was asked for {k} components; the {len(train)} training signals have at most "
                f"{len(train) - 1}. Give up to that many."
            )
        low = LowFrequencies(train, self)
        mean, basis = principal_components(low, self.d, k)
        variance = sum(np.square((batch - mean) @ basis.T).sum(0) for batch in rows(low, 1)) / len(train)
        assert isinstance(variance, np.ndarray)
        return {
            "basis": torch.from_numpy(basis * np.sqrt(variance)[:, None]).float(),
            "mean": torch.from_numpy(mean).float(),
            "widths": torch.from_numpy(gaussian.allocate(variance, self.config.bits)),
        }

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        basis, mean = dense(shared, "basis").to(x), dense(shared, "mean").to(x)
        length = basis.square().sum(1)
        z = (self.frequencies(x) - mean) @ basis.T / torch.where(length > 0, length, torch.ones_like(length))
        widths = self._widths(shared)
        found = torch.zeros_like(z, dtype=torch.int64)
        for j, width in enumerate(widths):
            edges = torch.tensor(gaussian.midpoints(gaussian.levels(width)), dtype=z.dtype, device=z.device)
            found[:, j] = torch.bucketize(z[:, j].contiguous(), edges)
        return {"code": pack_numbers(found, widths, -(-self.config.bits // 8))}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        basis, mean, widths = dense(codes, "basis"), dense(codes, "mean"), self._widths(codes)
        numbers = unpack_numbers(dense(codes, "code"), widths)
        table = np.zeros((len(widths), 2 ** max(widths)))
        for j, width in enumerate(widths):
            table[j, : 2**width] = gaussian.levels(width)
        q = torch.tensor(table, dtype=basis.dtype, device=basis.device).gather(1, numbers.T).T
        low = (mean + q @ basis).unflatten(1, (self.target.signal.channels, *self.low))
        up = [dct_matrix(size)[:n].T for size, n in zip(self.target.signal.extent, self.low)]
        return one_signal_each(along_extent(low, up))

    def frequencies(self, x: Float[Tensor, "m *shape"]) -> Float[Tensor, "m d"]:
        """The low frequencies of each signal: an orthonormal map, so distances are those of the signals."""
        down = [dct_matrix(size)[:n] for size, n in zip(self.target.signal.extent, self.low)]
        return along_extent(x, down).flatten(1)

    def _widths(self, codes: Codes) -> list[int]:
        """Bits of each component. Raises: ArtifactError where an item does not hold so many."""
        widths = dense(codes, "widths").tolist()
        if sum(widths) > self.config.bits or max(widths) > gaussian.MOST_BITS:
            raise ArtifactError(
                f"The components of an item should share {self.config.bits} bits, at most {gaussian.MOST_BITS} each; "
                f"found {widths}."
            )
        return widths


@dataclass(frozen=True)
class LowFrequencies:
    """A training set of low frequencies, read in batches as the signals are."""

    train: Source
    codec: Pcaq

    def __len__(self) -> int:
        return len(self.train)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in self.train.batches(size):
            yield self.codec.frequencies(x.double()), y
