"""What sets diffusers' autoencoders apart: one adapter a class. The next class is added to `ADAPTERS`, nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Adapter:
    """How a class of models encodes and decodes, and which of its weights decoding needs."""

    encode: Callable[[Any, Tensor], Tensor]
    """(model, pixels `[m, c, h, w]` in the model's range) → latents `[m, C, h/f, w/f]`, unscaled; draws nothing."""
    decode: Callable[[Any, Tensor], Tensor]
    """(model, unscaled latents) → pixels, differentiable."""
    decoder: tuple[str, ...] = ("decoder.",)
    """Beginnings of the names of the weights that `decode` uses."""
    quantised: Callable[[Any, Tensor], Tensor] | None = None
    """As `decode`, through the model's codebook; None where it has none."""
    codebook: tuple[str, ...] = ()
    """Beginnings of the names of the weights that `quantised` uses besides."""
    scaled_by_default: bool = True
    """Whether the class's own scaling factor holds where the folder's config.json states none."""

    def decoder_names(self, quantise: bool) -> tuple[str, ...]:
        return self.decoder + (self.codebook if quantise else ())


ADAPTERS: dict[str, Adapter] = {
    "AutoencoderKL": Adapter(
        encode=lambda model, x: model.encode(x).latent_dist.mean,
        decode=lambda model, z: model.decode(z).sample,
        decoder=("decoder.", "post_quant_conv."),
    ),
    "AutoencoderTiny": Adapter(
        encode=lambda model, x: model.encode(x).latents,
        decode=lambda model, z: model.decode(z).sample,
    ),
    "VQModel": Adapter(
        encode=lambda model, x: model.encode(x).latents,
        decode=lambda model, z: model.decode(z, force_not_quantize=True).sample,
        decoder=("decoder.", "post_quant_conv."),
        # the nearest codeword forwards; backwards the gradient passes as if it were the latent itself
        quantised=lambda model, z: model.decode(z).sample,
        codebook=("quantize.",),
        # the class's default is another model's; latent diffusion leaves VQ latents as they are
        scaled_by_default=False,
    ),
    "AutoencoderDC": Adapter(
        encode=lambda model, x: model.encode(x).latent,
        decode=lambda model, z: model.decode(z).sample,
    ),
}
"""By the `_class_name` of config.json. Source: diffusers' documentation of each class."""
