"""Published autoencoders by name: what `autoencoder` does with other defaults, and nothing of them to train."""

from __future__ import annotations

from pydantic import Field

from ddbench_codecs.autoencoders.codec import Latent
from ddbench_codecs.autoencoders.config import AutoencoderConfig

_MODEL = "A Hugging Face id (owner/name), a folder below $DDBENCH_MODELS, or shipped:NAME."
_SUBFOLDER = "Folder of the model within that."


class SdVaeF8Config(AutoencoderConfig):
    """Arguments of `sd_vae_f8`."""

    model: str = Field("stabilityai/sd-vae-ft-mse", min_length=1, description=_MODEL)


class SdVaeF8(Latent):
    """Stable Diffusion's first stage, decoder fine-tuned for squared error: f = 8, C = 4."""

    source = "arXiv 2112.10752; weights stabilityai/sd-vae-ft-mse"
    Config = SdVaeF8Config


class SdVaeF4Config(AutoencoderConfig):
    """Arguments of `sd_vae_f4`."""

    model: str = Field("stabilityai/stable-diffusion-x4-upscaler", min_length=1, description=_MODEL)
    subfolder: str = Field("vae", description=_SUBFOLDER)


class SdVaeF4(Latent):
    """First stage of Stable Diffusion's 4× upscaler: f = 4, C = 4."""

    source = "arXiv 2112.10752; weights stabilityai/stable-diffusion-x4-upscaler, subfolder vae"
    Config = SdVaeF4Config


class KlF4Config(AutoencoderConfig):
    """Arguments of `kl_f4`."""

    model: str = Field("kl-f4", min_length=1, description=_MODEL)


class KlF4(Latent):
    """Latent diffusion's KL-f4: f = 4, C = 3.

    No repository is known that has it in diffusers' format with safetensors: convert the published checkpoint and put
    the folder below $DDBENCH_MODELS as `kl-f4`, with a codec card that names its training data (OpenImages).
    """

    source = "arXiv 2112.10752, model KL-f4"
    Config = KlF4Config


class VqF4Config(AutoencoderConfig):
    """Arguments of `vq_f4`."""

    model: str = Field("CompVis/ldm-super-resolution-4x-openimages", min_length=1, description=_MODEL)
    subfolder: str = Field("vqvae", description=_SUBFOLDER)


class VqF4(Latent):
    """Latent diffusion's VQ-f4, 8192 codewords: f = 4, C = 3; used by LD3M and GLaD.

    The repository may hold pickles alone: then it has to be converted once (docs/autoencoders.md).
    """

    source = "arXiv 2112.10752, model VQ-f4; weights CompVis/ldm-super-resolution-4x-openimages, subfolder vqvae"
    Config = VqF4Config


class Sd3VaeF8Config(AutoencoderConfig):
    """Arguments of `sd3_vae_f8`."""

    model: str = Field("stabilityai/stable-diffusion-3-medium-diffusers", min_length=1, description=_MODEL)
    subfolder: str = Field("vae", description=_SUBFOLDER)


class Sd3VaeF8(Latent):
    """Stable Diffusion 3's first stage: f = 8, C = 16. Its licence has to be accepted before it can be fetched."""

    source = "arXiv 2403.03206; weights stabilityai/stable-diffusion-3-medium-diffusers, subfolder vae"
    Config = Sd3VaeF8Config


class TaesdConfig(AutoencoderConfig):
    """Arguments of `taesd`."""

    model: str = Field("madebyollin/taesd", min_length=1, description=_MODEL)


class Taesd(Latent):
    """A tiny autoencoder with the latents of Stable Diffusion's: f = 8, C = 4."""

    source = "github.com/madebyollin/taesd; weights madebyollin/taesd"
    Config = TaesdConfig


class DcAeConfig(AutoencoderConfig):
    """Arguments of `dc_ae`."""

    model: str = Field("mit-han-lab/dc-ae-f32c32-in-1.0-diffusers", min_length=1, description=_MODEL)


class DcAe(Latent):
    """Deep compression autoencoder: f = 32, C = 32.

    With `model: mit-han-lab/dc-ae-f64c128-in-1.0-diffusers` f = 64, C = 128.
    Trained on ImageNet, so that on ImageNet and its subsets its decoder is paid for.
    """

    source = "arXiv 2410.10733; weights mit-han-lab/dc-ae-f32c32-in-1.0-diffusers"
    Config = DcAeConfig
