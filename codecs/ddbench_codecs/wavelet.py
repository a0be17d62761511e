"""The wavelet codec: a code is the CDF 9/7 coefficients that a mask keeps."""

from __future__ import annotations

from functools import reduce
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ddbench.interfaces.plugin import PluginConfig
from ddbench_codecs.kept import KeptCoefficients, Mask, group_means
from ddbench_codecs.wavelets import cdf97_inverse, cdf97_matrix


class WaveletConfig(PluginConfig):
    """Arguments of `wavelet`."""

    keep: float = Field(
        1 / 8, gt=0, le=1, description="Share of the coefficients that an item keeps, unless m is given."
    )
    m: int | None = Field(None, ge=1, description="Coefficients that an item keeps of each channel.")
    levels: int = Field(3, ge=1, description="Times that the averages are halved along every axis.")
    mask: Mask = "class"


class Wavelet(KeptCoefficients):
    """Stores m wavelet coefficients a channel, at the positions that a mask names: of the item's class, or of all.

    `x → CDF 9/7 → gather by mask[y] → F [c, m] → scatter by mask[y] → inverse CDF 9/7 → x̂`

    A mask keeps the positions that carry most energy over its initial items: mean square of the coefficient times the
    squared length of what it adds to a signal. Wavelets are local, so a mask keeps detail where its signals have it:
    closer than `dct` from an eighth of the coefficients on, the more so the fewer items share a mask; below that the
    averages alone are too many to keep, and `dct` is closer.

    The transform is not quite orthonormal; the rate is scaled by 1/‖JJᵀ‖ of the whole inverse.
    """

    version = "1"
    source = "FreD, arXiv 2311.08819 (a mask a class); CDF 9/7 as in JPEG 2000, Cohen, Daubechies and Feauveau 1992"
    Config = WaveletConfig
    name, kept = "wavelet", "coefficients"

    def matrices(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        return cdf97_matrix(n, self.config.levels), cdf97_inverse(n, self.config.levels)

    def lr_scale(self) -> float:
        return float(1 / prod(np.linalg.norm(self.matrices(n)[1], 2) ** 2 for n in self.extent))

    def score(self, spectrum: Float[Tensor, "m p"], group: Int[Tensor, " m"], groups: int) -> Float[Tensor, "g p"]:
        lengths = (np.square(self.matrices(n)[1]).sum(0) for n in self.extent)
        weight = torch.from_numpy(reduce(np.multiply.outer, lengths).ravel()).to(spectrum)
        return group_means(spectrum**2 * weight, group, groups)
