"""Codecs whose code is the latent of a pretrained network, whichever of diffusers' classes it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.func import functional_call

from ddbench.errors import SpecError
from ddbench.interfaces.codec import UNDISCLOSED, Codec, CodecWork, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.autoencoders.config import AutoencoderConfig
from ddbench_codecs.autoencoders.domain import in_domain
from ddbench_codecs.autoencoders.fetch import fetched
from ddbench_codecs.autoencoders.known import KNOWN, Known
from ddbench_codecs.autoencoders.model import Decoding, adapter_of, check_fit, geometry, loaded, read, scale_of, work
from ddbench_codecs.autoencoders.pixels import Pixels
from ddbench_codecs.autoencoders.tensor_files import FLOATS
from ddbench_codecs.autoencoders.weights import find
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.kl_training import KlTraining

PIXELS_AT_ONCE = {"cpu": 2**18, "cuda": 2**21}
"""Pixels that go through a network at once without gradients: 4 and 32 pictures of 256 × 256."""
PIXELS_WITH_GRADIENT = 2**17
"""With gradients, when what every layer gave is kept: 2 pictures of 256 × 256."""
SCALE = "scale"
"""The leaf of a paid decoder that holds shift and factor of the codes."""
ON_LATENTS = ("crop", "cutout", "flip", "scale")
"""Families of augmentation that keep their meaning on a map of latents (docs/concepts.md)."""


class Latent(Codec):
    """Stores the latent `[C, ⌈h/f⌉, ⌈w/f⌉]` of a signal; C and f are the model's own.

    `x → Pixels → encoder → posterior mean → (· − shift)·scale → z [C, H/f, W/f] → inverse → decoder → Pixels⁻¹ → x̂`

    The scale is the model's own (config.json), by which latents have about unit variance. Of VQ models the code is the
    latent before quantisation; decoding quantises it only where `quantise` says so, and passes the gradient through as
    it is. Nothing is drawn at random.

    A gradient g on the signal reaches the code as Jᵀg and moves the signal by JJᵀg. Where codes and signals both have
    unit variance a value, and the decoder hands on what variance there is, ‖J‖² (Frobenius) is the number P of values
    of a signal, so that over the D directions in which a code can move it, JJᵀ has the mean eigenvalue P/D. The
    learning rate is scaled by the inverse, D/P: a step then moves a signal about as far as a step on its pixels does.
    (`downsample`, where JJᵀ is known, has the same.)
    """

    version = "1"
    source = "LatentDD, arXiv 2311.15547; autoencoders of arXiv 2112.10752 (KL, VQ) and others, as diffusers has them"
    Config = AutoencoderConfig
    code_leaf = "z"
    keeps_encodings = True

    @classmethod
    def version_with(cls, config: Any) -> str:
        """The version and the digest of the weights. Raises: DataError where they are not here, or not whole."""
        weights = find(config.place)
        check_fit(weights)
        return f"{cls.version}+{weights.digest[:16]}"

    @classmethod
    def fetch(cls, config: Any, download: bool, tell: Callable[[float], None]) -> str:
        return fetched(config.place, download, tell)

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: DataError where there are no weights to use; SpecError for signals that they cannot take."""
        super().__init__(config, target)
        self.weights = find(self.config.place)
        check_fit(self.weights)
        self.version = f"{type(self).version}+{self.weights.digest[:16]}"  # pyright: ignore[reportAttributeAccessIssue]
        self.digest = self.weights.digest
        self.adapter, shape = adapter_of(self.weights), geometry(self.weights)
        if self.config.quantise and self.adapter.quantised is None:
            raise SpecError(
                f"The model {self.config.model!r} ({self.weights.config['_class_name']}) has no codebook to quantise "
                "by; leave `quantise` out."
            )
        card = self.weights.card
        self.pixels = Pixels(target.signal, shape.channels, shape.f, card.range if card else (-1.0, 1.0))
        H, W = self.pixels.extent
        self.shape = (shape.C, H // shape.f, W // shape.f)
        self._account()
        self.decode_chunk = self.config.decode_chunk or max(1, PIXELS_WITH_GRADIENT // (H * W))

    def _account(self) -> None:
        """Who pays for the decoder, and what is said of it."""
        card, known = self.weights.card, KNOWN.get(self.config.model, Known(""))
        self.decoder_training_data = (card.training_data if card else "") or known.training_data or UNDISCLOSED
        names = self.adapter.decoder_names(self.config.quantise)
        decoder = {n: e for n, e in self.weights.entries.items() if n.startswith(names) and e.dtype in FLOATS}
        size_bytes = sum(e.size_bytes for e in decoder.values())
        # a card adds to what is known of published weights, it takes nothing back
        own = in_domain((*(card.datasets if card else ()), *known.datasets), self.target.family)
        self.charged = own and self.config.in_domain == "charge"
        self.free_in_domain = own and not self.charged
        self.decoder_bytes = 0 if self.charged else size_bytes
        self._paid = decoder if self.charged else {}
        shift, factor = scale_of(self.weights)
        # constants of the target's codes are fitted on it as much as the weights are
        self._pays_scale = self.charged and not (bool((shift == 0).all()) and bool((factor == 1).all()))

    def work(self) -> CodecWork:
        return work(self.weights, self.pixels.extent, self._at_once("cpu"))

    @property
    def has_fit(self) -> bool:
        return self.charged

    def leaves(self) -> tuple[Leaf, ...]:
        code = Leaf("z", "item", self.shape, lr_scale=prod(self.shape) / prod(self.target.signal.shape))
        paid = (Leaf(leaf_name(n), "set", e.shape, learned=False) for n, e in self._paid.items())
        if not self._pays_scale:
            return (code, *paid)
        return (code, *paid, Leaf(SCALE, "set", tuple(self._scale().shape), learned=False, quantise=False))

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The decoder's weights, where they are paid for; nothing is fitted, they were."""
        if not self._paid:
            return {}
        stored = read(self.weights.files, self.adapter.decoder_names(self.config.quantise))
        codes: Codes = {leaf_name(n): stored[n].float() for n in self._paid}
        return codes | {SCALE: self._scale().float()} if self._pays_scale else codes

    def _scale(self) -> Float[Tensor, "2 c"]:
        """Shift and factor of the codes, of each channel where they differ."""
        return torch.stack(torch.broadcast_tensors(*scale_of(self.weights))).flatten(1)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        model, dtype = self._model(x)
        shift, factor = (t.to(x) for t in scale_of(self.weights))
        z = x.new_empty(len(x), *self.shape)
        with torch.no_grad():
            for part in self._parts(len(x), x.device):
                pixels = self.pixels.seen(x[part]).to(dtype, memory_format=torch.channels_last)
                z[part] = (self.adapter.encode(model, pixels).to(x) - shift) * factor
        return {"z": z}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        run = self._decoder(codes, z)
        if torch.is_grad_enabled() and any(isinstance(c, Tensor) and c.requires_grad for c in codes.values()):
            return one_signal_each(run(z))
        x = z.new_empty(len(z), *self.target.signal.shape)
        with torch.no_grad():
            for part in self._parts(len(z), z.device):
                x[part] = run(z[part])
        return one_signal_each(x)

    def _decoder(self, codes: Codes, like: Tensor) -> Callable[[Tensor], Tensor]:
        """From scaled codes to signals, with the stored weights where the set holds some."""
        model, dtype = self._model(like)
        decode = self.adapter.quantised if self.config.quantise else self.adapter.decode
        assert decode is not None
        decoding = Decoding(model, decode)
        held = {f"model.{n}": dense(codes, leaf_name(n)).to(like.device, dtype) for n in self._paid}
        scale = dense(codes, SCALE) if self._pays_scale else self._scale()
        shift, factor = scale.to(like)[..., None, None]

        def run(z: Tensor) -> Tensor:
            latent = (z / factor + shift).to(dtype)
            pixels = functional_call(decoding, held, (latent,)) if held else decoding(latent)
            return self.pixels.signals(pixels.to(z.dtype))

        return run

    def code_augmentation(self, strategy: str) -> str:
        """Shifts, holes, mirrors and stretches: cells of a latent are local, their channels are no colours."""
        return "_".join(family for family in strategy.split("_") if family in ON_LATENTS)

    def _model(self, like: Tensor) -> tuple[Any, torch.dtype]:
        """The model on a tensor's device, in the type it computes in: float64 for float64 codes, to check gradients."""
        dtype = torch.float64 if like.dtype == torch.float64 else getattr(torch, self.config.compute)
        return loaded(self.weights, self.digest, like.device, dtype), dtype

    def _parts(self, m: int, device: torch.device) -> Iterator[slice]:
        at_once = self._at_once(device.type)
        for start in range(0, m, at_once):
            yield slice(start, start + at_once)

    def _at_once(self, device: str) -> int:
        return max(1, PIXELS_AT_ONCE.get(device, PIXELS_AT_ONCE["cpu"]) // prod(self.pixels.extent))


class Autoencoder(KlTraining, Latent):
    """Stores the latent of a signal in the network that `model` names, a published one or one trained beforehand."""


def leaf_name(weight: str) -> str:
    """The leaf that holds a weight."""
    return "w_" + weight.replace(".", "__")
