"""The codec of a small decoder fitted on the target dataset, stored with the items and charged in full."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench import rng
from ddbench.interfaces.codec import Codec, CodecWork, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.autoencode import fit_decoder, held
from ddbench_codecs.counted import flop_of, peak_of, peak_of_gradient
from ddbench_codecs.gain import largest_gain
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.nearest import SLOPES, Nearest, curvature
from ddbench_codecs.room import items_in, needs_extent
from ddbench_codecs.subpixel import KERNEL, Subpixel

PROBES = 8
"""Random codes on which gains of weights are measured."""

MARGIN = 10
"""Gains of fitted weights over those of untrained ones: 1 to 9 were measured on Fashion-MNIST."""


class DecoderConfig(PluginConfig):
    """Arguments of `decoder`."""

    factor: int = Field(4, ge=2, description="f: a code is a map of ⌈S/f⌉ along each axis.")
    channels: int = Field(1, ge=1, description="C: channels of the map.")
    vector: int | None = Field(
        None, ge=1, description="k: a code is a vector of this length, which a stored matrix turns into the map."
    )
    width: int = Field(12, ge=1, description="Channels of the decoder.")
    position: int = Field(1, ge=0, description="Channels of a stored map that tells the decoder where it is.")
    learn: Literal["codes", "both"] = Field(
        "codes", description="both: matchers in signal space learn the decoder's weights too, not the codes alone."
    )
    fit_steps: int = Field(4000, ge=1, description="Steps of Adam by which the decoder is fitted on the training set.")
    fit_lr: float = Field(0.01, gt=0, description="First learning rate of these steps; it falls to 0 as a cosine.")
    solve_steps: int = Field(20, ge=0, description="Steps by which encode solves for a code, after a guess.")


class Decoder(Codec):
    """Stores a map `[C, ⌈S/f⌉, …]` or a vector `[k]` an item, and once a set the weights of a decoder of some 1,000.

    `x → min over z of ‖decode(z) − x‖² → z → convolutions at the small size → patches side by side → x̂`

    Fitted on the whole training set, so its weights are payload, in the storage type: of use once a class holds several
    items. The encoder that it was fitted with is not stored; `encode` solves for each item's code by Gauss–Newton steps
    from a guess, so the file is all that encoding needs.

    The fit scales codes such that ‖E JJᵀ‖ = 1, J the decoder's slope at random codes spread as the fit's were: a step
    on z moves the signal about as far as a step on pixels, and z is a map whose channels have about one scale.

    With `learn: both` the decoder is learned with the items. A step on weights moves all M items at once; its gain is
    measured on a decoder with untrained weights and random codes of that scale, since the rate must be known before the
    fit, and the learning rate of each tensor scaled by 1/(M × gain an item × a margin of 10). In code space networks
    see z alone, and the decoder stays as it was fitted.
    """

    version = "2"
    source = (
        "Latent codes with a stored decoder: HaBa, arXiv 2210.16774 (bases and shared hallucinators); ESPCN, arXiv "
        "1609.05158 (the decoder)"
    )
    Config = DecoderConfig
    code_leaf = "z"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without an axis, or with more than two."""
        super().__init__(config, target)
        signal, asked = target.signal, self.config
        needs_extent("decoder", signal.extent, 2, signal.shape, "decodes signals of")
        self.network = Subpixel(
            signal.channels, signal.extent, asked.factor, asked.channels, asked.width, asked.position, asked.vector
        )

    def leaves(self) -> tuple[Leaf, ...]:
        z = Leaf("z", "item", self.network.code_shape)
        fixed = tuple(Leaf(name, "set", shape, learned=False) for name, shape in self.network.shapes.items())
        if self.config.learn == "codes":
            return z, *fixed
        m = items_in(self.target, (z, *fixed))
        return z, *(Leaf(x.name, "set", x.shape, lr_scale=1 / (MARGIN * m * self._gains[x.name])) for x in fixed)

    def work(self) -> CodecWork:
        """What `Nearest` does: forth and back, weights fixed, from zero, from the guess and after each step.

        It does so in blocks: a few items take as long as a block.
        """
        weights = {n: torch.empty(shape, device="meta") for n, shape in self.network.shapes.items()}

        def forth(z: Tensor) -> Tensor:
            return self.network(weights, z)

        z = torch.empty(1, *self.network.code_shape, device="meta")
        decode = flop_of(lambda: forth(z))
        return CodecWork(
            encode=2 * (2 + self.config.solve_steps) * decode,
            decode=decode,
            weights=decode if self.config.learn == "both" else 0.0,
            pass_bytes=peak_of(lambda: forth(z)),
            gradient_bytes=peak_of_gradient(forth, z),
        )

    @cached_property
    def _gains(self) -> dict[str, float]:
        """‖JJᵀ‖ an item of each tensor of weights, at untrained ones."""
        stream = rng.generator("decoder-gains", shapes=self.network.shapes)
        weights = {n: w.double() for n, w in self.network.first(stream).items()}
        scale = self._scale(weights)
        z = torch.randn(PROBES, *self.network.code_shape, generator=stream, dtype=torch.float64) * scale
        weights = self._scaled(weights, scale)
        return {
            name: largest_gain(lambda w, name=name: self.network({**weights, name: w}, z), weights[name]) / PROBES
            for name in weights
        }

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The decoder's weights."""
        signals, config = held(train, generator), self.config
        weights = fit_decoder(self.network, signals, generator, config.fit_steps, config.fit_lr)
        exact = {n: w.double() for n, w in weights.items()}
        return {n: w.float().cpu() for n, w in self._scaled(exact, self._scale(exact)).items()}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        weights = {n: dense(shared, n).double() for n in self.network.shapes}
        shape, steps = self.network.code_shape, self.config.solve_steps
        return {"z": Nearest(lambda z: self.network(weights, z), shape, x, steps)(x)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        return one_signal_each(self.network({n: dense(codes, n).to(z) for n in self.network.shapes}, z))

    def _scale(self, weights: dict[str, Tensor]) -> float:
        """√‖E JJᵀ‖ of the decoder over codes of mean 0 and variance 1, which its fit gave it."""
        stream, like = rng.generator("decoder-scale", shape=self.network.code_shape), next(iter(weights.values()))
        codes = torch.randn(SLOPES, *self.network.code_shape, generator=stream, dtype=torch.float64).to(like.device)
        return float(torch.linalg.matrix_norm(curvature(lambda z: self.network(weights, z), codes), 2)) ** 0.5

    def _scaled(self, weights: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
        """The decoder of codes `scale` times as large."""
        if self.config.vector is not None:
            return {**weights, "head": weights["head"] / scale}
        of_code = self.config.channels * KERNEL ** len(self.network.extent)
        first = weights["first"].clone()
        first[:, :of_code] /= scale
        return {**weights, "first": first, "linear": weights["linear"] / scale}
