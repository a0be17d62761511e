"""InceptionTime's network: convolutions of three widths side by side over time, for series (c, t) of any length."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from ddbench.errors import SpecError
from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.layers import Norm, normalisation

RESIDUAL_EVERY = 3
SHORT_POOL = 3


class InceptionTimeConfig(PluginConfig):
    """Arguments of InceptionTime's network."""

    depth: int = Field(default=6, ge=1, description="Modules; every third one ends a residual block.")
    width: int = Field(default=32, ge=1, description="Channels of each of a module's four branches.")
    kernels: tuple[int, ...] = Field(
        default=(39, 19, 9), min_length=1, description="Odd widths of the convolutions; published: 40, 20, 10."
    )
    norm: Norm = Field(default="instance", description="none, instance, batch (published), layer or group (4 groups).")

    @field_validator("kernels")
    @classmethod
    def _odd(cls, kernels: tuple[int, ...]) -> tuple[int, ...]:
        if even := [k for k in kernels if k < 1 or k % 2 == 0]:
            raise ValueError(f"kernels are odd, so that a series keeps its length; {even[0]} is not")
        return kernels


class Module(nn.Module):
    """`x → 1×1 → [conv k₁, conv k₂, conv k₃] ‖ max-pool 3 → 1×1`, concatenated, normalised, ReLU."""

    def __init__(self, inputs: int, extent: tuple[int, ...], config: InceptionTimeConfig) -> None:
        super().__init__()
        w = config.width
        self.bottleneck = nn.Conv1d(inputs, w, 1, bias=False) if inputs > 1 else nn.Identity()
        narrowed = w if inputs > 1 else 1
        self.branches = nn.ModuleList(nn.Conv1d(narrowed, w, k, padding=k // 2, bias=False) for k in config.kernels)
        self.pool = nn.MaxPool1d(SHORT_POOL, 1, padding=SHORT_POOL // 2)
        self.pooled = nn.Conv1d(inputs, w, 1, bias=False)
        self.norm = normalisation(config.norm, w * (len(config.kernels) + 1), extent)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b w t"]:
        narrow = self.bottleneck(x)
        found = [branch(narrow) for branch in self.branches]
        return F.relu(self.norm(torch.cat([*found, self.pooled(self.pool(x))], 1)))


class Shortcut(nn.Module):
    """`x → 1×1 → norm`, added to what the modules between gave."""

    def __init__(self, inputs: int, outputs: int, extent: tuple[int, ...], norm: Norm) -> None:
        super().__init__()
        self.around = nn.Sequential(nn.Conv1d(inputs, outputs, 1, bias=False), normalisation(norm, outputs, extent))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.relu(self.around(x) + y)


class InceptionTimeClassifier(Classifier):
    """Modules with shortcuts, the mean over time, one linear layer."""

    def __init__(self, shape: tuple[int, ...], n_classes: int, config: InceptionTimeConfig) -> None:
        super().__init__()
        channels, extent = shape[0], shape[1:]
        outputs = config.width * (len(config.kernels) + 1)
        self.blocks = nn.ModuleList(Module(outputs if i else channels, extent, config) for i in range(config.depth))
        ends = range(RESIDUAL_EVERY, config.depth + 1, RESIDUAL_EVERY)
        self.shortcuts = nn.ModuleList(
            Shortcut(channels if i == 0 else outputs, outputs, extent, config.norm) for i in range(len(ends))
        )
        self.head = nn.Linear(outputs, n_classes)

    def embed(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        first = x
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            if i % RESIDUAL_EVERY == 0:
                x = first = self.shortcuts[i // RESIDUAL_EVERY - 1](first, x)
        return x.mean(2)

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        return self.head(self.embed(x))


class InceptionTime(Network):
    """One network of InceptionTime, which is an ensemble of five: `x → [module × 3 + shortcut] × 2 → mean → logits`.

    Kernels are odd, so that the middle of each window is a position; with `norm: batch` it is else the published one.
    """

    version = "1"
    source = "Ismail Fawaz et al. 2020 (arXiv 1909.04939), §3"
    Config = InceptionTimeConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> InceptionTimeClassifier:
        if len(shape) != 2:
            raise SpecError(
                f"The network 'inceptiontime' takes series (c, t); this signal has shape {shape}. Use 'auto', which "
                "chooses by shape."
            )
        if self.config.norm == "instance" and shape[1] < 2:
            raise SpecError(f"Under instance norm a series needs two positions or more; this one has shape {shape}.")
        return InceptionTimeClassifier(shape, n_classes, self.config)
