"""The PCA codec: a code is a signal's coordinates in the training set's principal components."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench.written import ADDED
from ddbench_codecs.components import Mapped, principal_components
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.room import items_in
from ddbench_codecs.separable import along_extent, smooth_basis


class PcaConfig(PluginConfig):
    """Arguments of `pca`."""

    components: int = Field(32, ge=1, description="k: coordinates of an item, rows of the basis.")
    factor: Annotated[int, ADDED] = Field(
        1, ge=1, description="Components are sought among signals at 1/factor of the resolution: a basis so much less."
    )
    learn: Annotated[Literal["codes", "both"], ADDED] = Field(
        "codes", description="both: matchers in signal space learn the basis and the mean too, not the codes alone."
    )


class Pca(Codec):
    """Stores k coordinates an item, and once a set the basis `[k, d]` and the mean `[d]`, charged in full.

    `x → Qᵀ (factor > 1) → flatten → B(x − μ) → z [k] → μ + Bᵀz → Q → x̂`

    Fitted on the whole training set, so its k·d + d numbers are payload: of use once a class holds many items. The
    basis is orthonormal: a step on z moves the signal as far as a step on pixels.

    With a factor f the axes behind the channels shrink to ⌈S/f⌉ and d with them. Q, which nobody stores, is an
    orthonormal basis of what a linear resize to full size can give: no other k components that are interpolated so are
    nearer to the training set, and a step on z still moves the signal as far as a step on pixels.

    With `learn: both` codes are addresses and the basis a memory that all classes share. A step on the basis moves
    item i by Σⱼ (zᵢ·zⱼ) gⱼ, hence ‖JJᵀ‖ = λ₁(ZZᵀ) over the set's M items; a step on the mean by Σⱼ gⱼ, hence M. λ₁ is
    unknown before the fit, but no more than Σ‖zᵢ‖² ≈ M·(values of a signal), whose normalised values have variance 1.
    The learning rates are scaled by the inverses. The basis is then not orthonormal any more, and `encode` solves least
    squares. In code space networks see z alone, and basis and mean stay what was fitted.
    """

    version = "1"
    source = (
        "Pearson 1901; principal components by the covariance of the normalised training signals. Learned bases: "
        "Remember the Past, arXiv 2206.02916"
    )
    Config = PcaConfig
    code_leaf = "z"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for more components than a signal has values, or a factor with nothing to shrink."""
        super().__init__(config, target)
        signal, f = target.signal, self.config.factor
        if f > 1 and not signal.extent:
            raise SpecError(
                f"The codec 'pca' with factor {f} shrinks the axes behind the channels; signals of shape "
                f"{signal.shape} have none. Leave the factor out."
            )
        self.tile = tuple(-(-size // f) for size in signal.extent)
        self.d = signal.channels * prod(self.tile)
        if self.config.components > self.d:
            at = f" at 1/{f} of their resolution" if f > 1 else ""
            raise SpecError(
                f"The codec 'pca' was asked for {self.config.components} components; signals of shape "
                f"{signal.shape}{at} have {self.d} values. Give up to that many."
            )

    def leaves(self) -> tuple[Leaf, ...]:
        z, basis, mean = self._leaves(False)
        if self.config.learn == "codes":
            return z, basis, mean
        m = items_in(self.target, (z, basis, mean))
        return self._leaves(True, 1 / (m * prod(self.target.signal.shape)), 1 / m)

    def _leaves(self, learned: bool, of_basis: float = 1.0, of_mean: float = 1.0) -> tuple[Leaf, Leaf, Leaf]:
        k = self.config.components
        return (
            Leaf("z", "item", (k,)),
            Leaf("basis", "set", (k, self.d), learned=learned, lr_scale=of_basis),
            Leaf("mean", "set", (self.d,), learned=learned, lr_scale=of_mean),
        )

    def fit(self, train: Source, generator: Generator) -> Codes:
        """Basis and mean. Raises: SpecError where the training set has too few signals for the components."""
        k = self.config.components
        if k >= len(train):
            raise SpecError(
                f"The codec 'pca' was asked for {k} components; the {len(train)} training signals have at most "
                f"{len(train) - 1}. Give up to that many."
            )
        mean, basis = principal_components(Mapped(train, self._shrunk), self.d, k)
        return {"basis": torch.from_numpy(basis).float(), "mean": torch.from_numpy(mean).float()}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        basis, mean = dense(shared, "basis").to(x), dense(shared, "mean").to(x)
        z = (self._shrunk(x).flatten(1) - mean) @ basis.T
        if self.config.learn == "both":
            z = (torch.linalg.pinv((basis @ basis.T).double(), hermitian=True).to(x) @ z.T).T
        return {"z": z}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        flat = dense(codes, "mean").to(z) + z @ dense(codes, "basis").to(z)
        signals = flat.unflatten(1, (self.target.signal.channels, *self.tile))
        return one_signal_each(signals if self.config.factor == 1 else along_extent(signals, self._bases()))

    def _shrunk(self, x: Float[Tensor, "m *shape"]) -> Float[Tensor, "m c *tile"]:
        return x if self.config.factor == 1 else along_extent(x, [q.T for q in self._bases()])

    def _bases(self) -> list[np.ndarray]:
        return [smooth_basis(s, t) for s, t in zip(self.target.signal.extent, self.tile)]
