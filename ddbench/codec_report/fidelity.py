"""How near reconstructions are to originals: measures that say themselves which signals they are made for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.codec_report.schema import Figure
from ddbench.codec_report.ssim import WINDOW, ssim
from ddbench.interfaces.signal import SignalSpec


class Measure(ABC):
    """A number for each pair of original and reconstruction."""

    name: ClassVar[str]
    heading: ClassVar[str]
    meaning: ClassVar[str]

    @abstractmethod
    def takes(self, spec: SignalSpec) -> bool:
        """Whether it is defined for such signals."""

    @abstractmethod
    def __call__(
        self, spec: SignalSpec, x: Float[Tensor, "p *shape"], back: Float[Tensor, "p *shape"]
    ) -> Float[Tensor, " p"]:
        """float64, of normalised signals and what became of them; infinite where there is no error and it says so."""


class Psnr(Measure):
    """10 log₁₀ R² / MSE of each map in raw units, R the range of the data; reconstructions are clipped to it."""

    name, heading = "psnr_db", "PSNR dB"
    meaning = (
        "Mean over signals of 10 log10(R²/MSE), raw units, R the range of the data, reconstructions clipped to the "
        "range as a viewer sees them. Signals without error have no PSNR: they are counted and left out of the mean."
    )

    def takes(self, spec: SignalSpec) -> bool:
        return len(spec.extent) == 2 and _range(spec) is not None

    def __call__(self, spec: SignalSpec, x: Tensor, back: Tensor) -> Tensor:
        span = _range(spec)
        assert span is not None
        error = (raw(spec, x) - raw(spec, back)).double()
        return 10 * torch.log10(span**2 / error.square().flatten(1).mean(1))


class Ssim(Measure):
    """Structural similarity of maps."""

    name, heading = "ssim", "SSIM"
    meaning = (
        "Structural similarity: Gaussian window of 11 × 11 with σ = 1.5, K1 = 0.01, K2 = 0.03, windows within the map "
        "only, mean over windows, channels and signals; raw units, clipped as for PSNR. Not defined below 11 × 11."
    )

    def takes(self, spec: SignalSpec) -> bool:
        return len(spec.extent) == 2 and _range(spec) is not None and min(spec.extent) >= WINDOW

    def __call__(self, spec: SignalSpec, x: Tensor, back: Tensor) -> Tensor:
        span = _range(spec)
        assert span is not None
        return ssim(raw(spec, x).double(), raw(spec, back).double(), span)


class Nrmse(Measure):
    """Root mean squared error of each normalised signal, in standard deviations of its channel."""

    name, heading = "nrmse", "NRMSE"
    meaning = (
        "Mean over signals of the root mean squared error of normalised values: 1 is one standard deviation of the "
        "training set's channel. Not clipped: this is what students see."
    )

    def takes(self, spec: SignalSpec) -> bool:
        return True

    def __call__(self, spec: SignalSpec, x: Tensor, back: Tensor) -> Tensor:
        return (x - back).double().square().flatten(1).mean(1).sqrt()


MEASURES: tuple[Measure, ...] = (Psnr(), Ssim(), Nrmse())
BATCH = 256


def measures_of(spec: SignalSpec) -> tuple[Measure, ...]:
    """The measures that are defined for such signals; the first is the one to draw."""
    return tuple(measure for measure in MEASURES if measure.takes(spec))


def figures(spec: SignalSpec, x: Float[Tensor, "p *shape"], back: Float[Tensor, "p *shape"]) -> dict[str, Figure]:
    """Every measure of normalised signals and their reconstructions, on the CPU."""
    return {
        m.name: _figure([m(spec, a, b) for a, b in zip(x.split(BATCH), back.split(BATCH))]) for m in measures_of(spec)
    }


def _figure(parts: Sequence[Tensor]) -> Figure:
    values = torch.cat(list(parts))
    told = values[values != torch.inf]
    return Figure(mean=float(told.mean()) if len(told) else None, exact=len(values) - len(told))


def raw(spec: SignalSpec, x: Tensor) -> Tensor:
    """Raw signals within the range of the data."""
    return spec.denormalise(x).clamp(spec.low, spec.high)


def _range(spec: SignalSpec) -> float | None:
    if spec.low is None or spec.high is None or spec.high <= spec.low:
        return None
    return spec.high - spec.low
