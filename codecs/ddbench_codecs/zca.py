"""The ZCA codec: a code is the whitened signal."""

from __future__ import annotations

from math import prod

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
from ddbench_codecs.components import MOST_EXACT, moments
from ddbench_codecs.items import dense, one_signal_each


class ZcaConfig(PluginConfig):
    """Arguments of `zca`."""

    eps: float = Field(
        0.1, gt=0, description="ε, added to every variance before whitening; in squared raw units ([0, 1] for images)."
    )
    refit: bool = Field(
        False,
        description="false: the transform (d² + 2d numbers) is stored and charged; true: it is not stored but fitted "
        "again on the training set whenever the set is read, and the row is not ranked.",
    )


class Zca(Codec):
    """Stores whitened signals, and once a set the transform; or nothing but the whitened signals, and fits it again.

    `x → raw u, flatten → V diag(1/s) Vᵀ (u − μ) → z, as the signal shaped → μ + V diag(s) Vᵀ z → x̂`

    V and λ are the eigenvectors and eigenvalues of the training set's covariance in raw units (n − 1 in the divisor),
    s = √(λ + ε). Stored are basis = Vᵀ, scale = s and the mean, from which both directions follow; fitted in float64,
    kept as float32, so no ill-conditioned matrix is ever inverted in float32.

    MTT's protocol is matching in code space with students on codes (the held-out set whitened as well), but for one
    factor a channel: the framework standardises codes, MTT leaves them as ZCA gives them.

    In signal space a step on z moves the signal by up to ‖JJᵀ‖ = (λ₁ + ε)/σ². λ₁ is not known before the fit, but it
    is no more than the sum of all variances, about Σσ² over the d values: the learning rate is scaled by that bound,
    which is safe in the strongest direction and slow in the weak ones. Match in code space.
    """

    version = "1"
    source = "MTT, arXiv 2203.11932 (ZCA, ε = 0.1, as in kornia.enhance.ZCAWhitening); protocols.md §3.2"
    Config = ZcaConfig
    code_leaf = "z"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals so wide that their covariance cannot be held."""
        super().__init__(config, target)
        signal = target.signal
        self.d = prod(signal.shape)
        if self.d > MOST_EXACT:
            raise SpecError(
                f"The codec 'zca' holds a covariance of d × d values; signals of shape {signal.shape} have d = "
                f"{self.d}, the most is {MOST_EXACT}. Use 'pca' with some components, or smaller signals."
            )
        # σ of each of the d values; signals are channels first
        self.std = np.repeat(np.asarray(signal.std, dtype=np.float64), self.d // signal.channels)

    def leaves(self) -> tuple[Leaf, ...]:
        bound = (np.square(self.std).sum() + self.config.eps) / np.square(self.std).min()
        z = Leaf("z", "item", self.target.signal.shape, lr_scale=float(1 / bound))
        return (z,) if self.config.refit else (z, *self._transform())

    def refitted(self) -> tuple[Leaf, ...]:
        return self._transform() if self.config.refit else ()

    def _transform(self) -> tuple[Leaf, ...]:
        shapes = {"basis": (self.d, self.d), "scale": (self.d,), "mean": (self.d,)}
        return tuple(Leaf(name, "set", shape, learned=False) for name, shape in shapes.items())

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The transform; `mean` is that of the normalised signals. Raises: SpecError for fewer than two signals."""
        n = len(train)
        if n < 2:
            raise SpecError(f"The codec 'zca' needs two training signals or more to have a covariance; found {n}.")
        mean, covariance = moments(train, self.d)
        raw = covariance * np.outer(self.std, self.std) * (n / (n - 1))
        values, vectors = np.linalg.eigh(raw)
        scale = np.sqrt(np.maximum(values, 0) + self.config.eps)
        found = {"basis": vectors.T.copy(), "scale": scale, "mean": mean}
        return {name: torch.from_numpy(value).float() for name, value in found.items()}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        basis, scale, mean = (dense(shared, name).to(x) for name in ("basis", "scale", "mean"))
        raw = (x.flatten(1) - mean) * self._std(x)
        return {"z": ((raw @ basis.T / scale) @ basis).unflatten(1, self.target.signal.shape)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        basis, scale, mean = (dense(codes, name).to(z) for name in ("basis", "scale", "mean"))
        raw = (z.flatten(1) @ basis.T * scale) @ basis
        return one_signal_each((raw / self._std(z) + mean).unflatten(1, self.target.signal.shape))

    def _std(self, like: Tensor) -> Float[Tensor, " d"]:
        return torch.tensor(self.std, dtype=like.dtype, device=like.device)

    def code_augmentation(self, strategy: str) -> str:
        """All of it, as MTT does: DSA acts on whitened pixels there."""
        return strategy
