"""What publishers say of the training data of weights that have no codec card, by Hugging Face id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """What published weights were trained on."""

    training_data: str
    datasets: tuple[str, ...] = ()
    """Families of ddbench's datasets among them."""


_IMAGENET = Known("ImageNet", ("imagenet",))

# What is said here decides who pays: a change of `datasets` is a new version of the codec.
KNOWN = {
    "stabilityai/sd-vae-ft-mse": Known(
        "OpenImages; the decoder was fine-tuned on parts of LAION (LAION-Aesthetics, LAION-Humans)"
    ),
    "stabilityai/stable-diffusion-x4-upscaler": Known(
        "not stated by the publisher for the autoencoder; the upscaler saw a part of LAION"
    ),
    "CompVis/ldm-super-resolution-4x-openimages": Known("OpenImages"),
    "stabilityai/stable-diffusion-3-medium-diffusers": Known("not stated by the publisher"),
    "madebyollin/taesd": Known("distilled from Stable Diffusion's autoencoder; on which pictures is not stated"),
    "mit-han-lab/dc-ae-f32c32-in-1.0-diffusers": _IMAGENET,
    "mit-han-lab/dc-ae-f64c128-in-1.0-diffusers": _IMAGENET,
    "mit-han-lab/dc-ae-f128c512-in-1.0-diffusers": _IMAGENET,
}
