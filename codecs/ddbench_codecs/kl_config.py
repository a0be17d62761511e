"""Arguments of the training of a KL autoencoder, and the network that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ddbench.interfaces.plugin import PluginConfig

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


class KlTrainConfig(PluginConfig):
    """Arguments of `ddbench codec train autoencoder`."""

    f: Literal[2, 4, 8] = Field(4, description="Down-sampling factor of the code.")
    channels: int = Field(4, ge=1, le=64, description="C: channels of the code.")
    in_channels: Literal[1, 3] = Field(1, description="Channels of the signals: 1 (colour turned to luma) or 3.")
    width: int = Field(16, ge=4, description="Channels of the networks at full resolution; a multiple of groups.")
    growth: tuple[int, ...] = Field(
        (1, 2, 2, 2),
        min_length=1,
        description="Factors of the width from full resolution to the code's; what f does not need is left out.",
    )
    layers: int = Field(1, ge=1, description="Residual blocks a resolution in the encoder; the decoder has one more.")
    groups: int = Field(4, ge=1, description="Groups of the group normalisation.")
    attention: bool = Field(False, description="Whether the blocks between encoder and decoder attend.")
    crop: int = Field(28, ge=8, description="Side of the training windows; a multiple of f.")
    zoom: float = Field(3.0, ge=1, description="Windows of larger pictures are up to so many crops wide, shrunk.")
    shares: tuple[int, ...] = Field((), description="Windows of each dataset in a batch; [] for equal parts.")
    batch: int = Field(32, ge=1, description="Windows a step.")
    steps: int = Field(4000, ge=1, description="Steps, unless training stops early.")
    lr: float = Field(2e-3, gt=0, description="Highest learning rate of AdamW; warm-up, then a cosine to 0.")
    weight_decay: float = Field(1e-4, ge=0, description="Weight decay of AdamW.")
    warmup: float = Field(0.03, ge=0, lt=1, description="Share of the steps over which the learning rate rises.")
    loss: Literal["l1", "mse"] = Field("mse", description="Distance of a window and its reconstruction.")
    edges: float = Field(0.0, ge=0, description="Weight of the same distance between differences of neighbours.")
    kl: float = Field(1e-6, ge=0, description="Weight of the KL divergence of codes from N(0, I), in nats a value.")
    average: float = Field(0.998, ge=0, lt=1, description="Decay of the running mean of weights that is kept.")
    invert: float = Field(0.5, ge=0, le=1, description="Probability that a window's intensities are inverted.")
    gain: float = Field(0.5, ge=0, le=1, description="Probability that a window's contrast is lowered and shifted.")
    symmetries: bool = Field(True, description="Whether windows are mirrored and turned by right angles.")
    held_out: float = Field(0.05, gt=0, lt=1, description="Share of each training split kept for validation.")
    most_held_out: int = Field(256, ge=1, description="At most so many pictures of a dataset for validation.")
    checks: int = Field(25, ge=1, description="Validations, evenly over the steps; the best weights are kept.")
    patience: int = Field(6, ge=1, description="Training stops after so many validations without a gain.")
    weights: Literal["float32", "float16"] = Field("float32", description="Type of the stored weights.")
    seed: int = Field(0, ge=0, description="Seed of first weights, windows and noise.")

    @model_validator(mode="after")
    def _fit_together(self) -> KlTrainConfig:
        if self.crop % self.f:
            raise ValueError(f"crop is {self.crop}, which f = {self.f} does not divide. Give a multiple of f.")
        uneven = [w for w in self.widths if w % self.groups or w == 0]
        if uneven:
            raise ValueError(f"{uneven[0]} channels do not make {self.groups} groups. Change width, growth or groups.")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each resolution, the last factor of `growth` repeated where f asks for more."""
        levels = self.f.bit_length()
        factors = (*self.growth, *(self.growth[-1],) * levels)[:levels]
        return tuple(self.width * factor for factor in factors)


def network(config: KlTrainConfig) -> AutoencoderKL:
    """diffusers' autoencoder as the arguments ask for it, with first weights from torch's global generator."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    levels = len(config.widths)
    return AutoencoderKL(
        in_channels=config.in_channels,
        out_channels=config.in_channels,
        down_block_types=("DownEncoderBlock2D",) * levels,  # pyright: ignore[reportArgumentType]
        up_block_types=("UpDecoderBlock2D",) * levels,  # pyright: ignore[reportArgumentType]
        block_out_channels=config.widths,  # pyright: ignore[reportArgumentType]
        layers_per_block=config.layers,
        latent_channels=config.channels,
        norm_num_groups=config.groups,
        sample_size=config.crop,
        scaling_factor=1.0,
        mid_block_add_attention=config.attention,
        force_upcast=False,
    )
