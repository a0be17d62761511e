"""Structural similarity of maps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def ssim(a: Float[Tensor, "p c h w"], b: Float[Tensor, "p c h w"], span: float) -> Float[Tensor, " p"]:
    """Mean structural similarity of each pair of maps with values in a range of `span`; channels count alike.

    Windows lie within the map: none is padded. Local moments are weighted by the window (no n − 1).

    Source: Wang, Bovik, Sheikh and Simoncelli 2004 (IEEE TIP 13-4), eqs. 13 to 17.
    """
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return (luminance * structure).flatten(1).mean(1)


def _blurred(x: Float[Tensor, "p c h w"]) -> Float[Tensor, "p c h2 w2"]:
    """Gaussian-weighted mean of every window within the map, one axis after the other."""
    places = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = torch.exp(-(places**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    planes = x.flatten(0, 1)[:, None]
    planes = F.conv2d(F.conv2d(planes, weights.view(1, 1, WINDOW, 1)), weights.view(1, 1, 1, WINDOW))
    return planes[:, 0].unflatten(0, x.shape[:2])
