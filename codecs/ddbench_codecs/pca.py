"""The PCA codec: a code is a signal's coordinates in the training set's principal components."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.components import principal_components
from ddbench_codecs.items import dense, one_signal_each


class PcaConfig(PluginConfig):
    """Arguments of `pca`."""

    components: int = Field(32, ge=1, description="k: coordinates of an item, rows of the basis.")


class Pca(Codec):
    """Stores k coordinates an item, and once a set the basis `[k, d]` and the mean `[d]`, charged in full.

    `x → flatten → B(x − μ) → z [k] → μ + Bᵀz → x̂`

    Fitted on the whole training set, so its k·d + d numbers are payload: of use once a class holds many items. The
    basis is orthonormal: a step on z moves the signal as far as a step on pixels. The basis is not learned.
    """

    version = "1"
    source = "Pearson 1901; principal components by the covariance of the normalised training signals"
    Config = PcaConfig
    code_leaf = "z"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for more components than a signal has values."""
        super().__init__(config, target)
        self.d = prod(target.signal.shape)
        if self.config.components > self.d:
            raise SpecError(
                f"The codec 'pca' was asked for {self.config.components} components; signals of shape "
                f"{target.signal.shape} have {self.d} values. Give up to that many."
            )

    def leaves(self) -> tuple[Leaf, ...]:
        k = self.config.components
        basis, mean = Leaf("basis", "set", (k, self.d), learned=False), Leaf("mean", "set", (self.d,), learned=False)
        return Leaf("z", "item", (k,)), basis, mean

    def fit(self, train: Source, generator: Generator) -> Codes:
        """Basis and mean. Raises: SpecError where the training set has too few signals for the components."""
        k = self.config.components
        if k >= len(train):
            raise SpecError(
                f"The codec 'pca' was asked for {k} components; the {len(train)} training signals have at most "
                f"{len(train) - 1}. Give up to that many."
            )
        mean, basis = principal_components(train, self.d, k)
        return {"basis": torch.from_numpy(basis).float(), "mean": torch.from_numpy(mean).float()}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        basis, mean = dense(shared, "basis").to(x), dense(shared, "mean").to(x)
        return {"z": (x.flatten(1) - mean) @ basis.T}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        flat = dense(codes, "mean").to(z) + z @ dense(codes, "basis").to(z)
        return one_signal_each(flat.unflatten(1, self.target.signal.shape))
