"""The log-mel front end: how loud each band of frequencies is, frame by frame. torch-free.

`samples → frames of a periodic Hann window → |DFT|² → triangles on the mel scale → log(· + floor)`
Source: Davis & Mermelstein 1980; the mel scale as in HTK (2595 log₁₀(1 + f / 700)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64

FLOOR = 1e-6
"""Added to every band's energy before the logarithm; samples are in [−1, 1]."""


@dataclass(frozen=True)
class LogMel:
    """A front end at a sampling rate. Frames lie within the samples; what is shorter than one is filled with zeros."""

    rate: int
    bands: int
    window_s: float
    hop_s: float

    @property
    def window(self) -> int:
        return max(2, round(self.window_s * self.rate))

    @property
    def hop(self) -> int:
        return max(1, round(self.hop_s * self.rate))

    @property
    def size(self) -> int:
        """Points of the DFT: the next power of 2."""
        return 1 << (self.window - 1).bit_length()

    def __call__(self, samples: Float64[np.ndarray, " n"]) -> Float32[np.ndarray, "bands frames"]:
        x = np.pad(samples, (0, max(0, self.window - len(samples))))
        frames = np.lib.stride_tricks.sliding_window_view(x, self.window)[:: self.hop]
        turns = 2 * np.pi * np.arange(self.window) / self.window
        spectrum = np.fft.rfft(frames * (0.5 - 0.5 * np.cos(turns)), self.size)
        return np.log(self.triangles @ (np.abs(spectrum) ** 2).T + FLOOR).astype(np.float32)

    @cached_property
    def triangles(self) -> Float64[np.ndarray, "bands points"]:
        """Weights of the DFT's points in each band: corners evenly on the mel scale from 0 to half the rate."""
        top = 2595 * np.log10(1 + self.rate / 2 / 700)
        corners = 700 * (10 ** (np.linspace(0, top, self.bands + 2) / 2595) - 1)
        at = np.arange(self.size // 2 + 1) * self.rate / self.size
        left, middle, right = (corners[i : i + self.bands, None] for i in range(3))
        return np.maximum(0, np.minimum((at - left) / (middle - left), (right - at) / (right - middle)))
