"""The frequency codec: a code is the DCT coefficients that a mask keeps."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ddbench.interfaces.plugin import PluginConfig
from ddbench_codecs.kept import KeptCoefficients, Mask, group_means
from ddbench_codecs.separable import dct_matrix


class DctConfig(PluginConfig):
    """Arguments of `dct`."""

    keep: float = Field(
        1 / 8, gt=0, le=1, description="Share of the frequencies that an item keeps, unless m is given."
    )
    m: int | None = Field(None, ge=1, description="Frequencies that an item keeps, each with a coefficient a channel.")
    mask: Mask = "class"


class Dct(KeptCoefficients):
    """Stores m DCT coefficients a channel, at the frequencies that a mask names: of the item's class, or of all.

    `x → DCT → gather by mask[y] → F [c, m] → scatter by mask[y] → inverse DCT → x̂`

    A mask keeps the frequencies of largest variance over its initial items, those of largest squared magnitude where
    it has one item. Since DCT and scatter are orthonormal, a step on coefficients moves the signal as far as a step on
    pixels.
    """

    version = "1"
    source = "FreD, arXiv 2311.08819 (mask by the diagonal of the covariance, x = IDCT(mask ⊙ F))"
    Config = DctConfig
    name, kept = "dct", "frequencies"

    def matrices(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        return dct_matrix(n), dct_matrix(n).T

    def score(self, spectrum: Float[Tensor, "m p"], group: Int[Tensor, " m"], groups: int) -> Float[Tensor, "g p"]:
        several = torch.bincount(group, minlength=groups)[:, None] > 1
        mean = group_means(spectrum, group, groups)
        centre = torch.where(several, mean, torch.zeros_like(mean))[group]
        return group_means((spectrum - centre) ** 2, group, groups)
