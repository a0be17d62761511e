"""VGG11 as the field trains it: eight convolutions with norm, five max-poolings, one linear layer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from ddbench.interfaces.network import Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.layers import Norm
from ddbench.networks.stack import Conv, Pool, StackClassifier, check_maps, check_norm, first_padding, stack

PLAN = ((1,), (2,), (4, 4), (8, 8), (8, 8))
"""Widths of the convolutions before each pooling, in first widths: 64, 128, 256 256, 512 512, 512 512."""
MAX7 = 7


class VggConfig(PluginConfig):
    """Arguments of VGG11."""

    width: int = Field(default=64, ge=1, description="Channels of the first convolution; the others are 2, 4 or 8 ×.")
    norm: Norm = Field(
        default="instance", description="Norm after each convolution: none, instance, batch, layer or group."
    )
    padding: int | None = Field(
        default=None,
        ge=0,
        description="Padding of the first convolution; default: 1, and what fills sides under 32 up to 32 (28 → 3).",
    )
    final: Literal["flatten", "max7"] = Field(
        default="flatten",
        description="flatten: the linear layer on the whole last map; max7: on its adaptive max-pooling to 7×7, "
        "as in the pool used at 128² and 256².",
    )


class Vgg11(Network):
    """VGG11 with the norm right after each convolution.

    `x → 64 → pool → 128 → pool → 256 → 256 → pool → 512 → 512 → pool → 512 → 512 → pool → flatten → linear → logits`

    The linear layer stands on 512·⌊S/32⌋² features, S at least 32 (512 at 28² and 32²), or on 512·7² with
    `final: max7`.
    """

    version = "1"
    source = "protocols.md §4; Simonyan & Zisserman 2015 as used by DC (arXiv 2006.05929) and GLaD (arXiv 2305.01649)"
    Config = VggConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> StackClassifier:
        name, w = "vgg11", self.config.width
        check_maps(name, shape)
        check_norm(name, self.config.norm, w)
        padding: tuple[int, ...] | int = first_padding(name, shape, 1, self.config.padding)
        steps: list[Conv | Pool] = []
        for block in PLAN:
            for times in block:
                steps.append(Conv(times * w, 3, padding))
                padding = 1
            steps.append(Pool())
        features, embedding = stack(name, shape, steps, self.config.norm)
        if self.config.final == "max7":
            features.append(nn.AdaptiveMaxPool2d(MAX7))
            embedding = PLAN[-1][-1] * w * MAX7**2
        return StackClassifier(features, embedding, n_classes)
