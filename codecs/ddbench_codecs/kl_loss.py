"""The loss of a KL autoencoder: windows against their reconstructions, and the codes' divergence from N(0, I)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    from ddbench_codecs.kl_config import KlTrainConfig


def distance(
    x: Float[Tensor, "b c h w"], seen: Float[Tensor, "b c h w"], kind: Literal["l1", "mse"], edges: float
) -> Float[Tensor, ""]:
    """Mean distance of values, and `edges` times that of the differences between neighbours."""
    measure = l1_loss if kind == "l1" else mse_loss
    total = measure(seen, x)
    if edges:
        total = total + edges * (measure(seen.diff(dim=2), x.diff(dim=2)) + measure(seen.diff(dim=3), x.diff(dim=3)))
    return total


def divergence(mean: Float[Tensor, "b C h w"], logvar: Float[Tensor, "b C h w"]) -> Float[Tensor, ""]:
    """Mean KL(N(mean, e^logvar) ‖ N(0, 1)) of a code value, in nats."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def training_loss(
    model: AutoencoderKL,
    x: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b C h_z w_z"],
    config: KlTrainConfig,
) -> Float[Tensor, ""]:
    """The loss of one batch with codes mean + σ·noise. Source: Rombach et al., arXiv 2112.10752, appendix G, no critic.

    There sums over all code values and all pixels are weighed against each other; here both are means.
    """
    posterior = model.encode(x).latent_dist  # pyright: ignore[reportAttributeAccessIssue]
    code = posterior.mean + posterior.std * noise
    seen = model.decode(code).sample  # pyright: ignore[reportAttributeAccessIssue]
    return distance(x, seen, config.loss, config.edges) + config.kl * divergence(posterior.mean, posterior.logvar)


def reconstruct(model: AutoencoderKL, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """What the mean codes decode to, 64 windows at a time, without gradients."""
    with torch.no_grad():
        parts = [model.decode(model.encode(part).latent_dist.mean).sample for part in x.split(64)]  # pyright: ignore[reportAttributeAccessIssue]
    return torch.cat(parts)
