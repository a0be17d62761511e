"""ResNet18 as the field trains it, and ResNet18_AP, in which average pooling does what strides did."""

from __future__ import annotations

from math import ceil, prod
from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ddbench.interfaces.network import Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.layers import Norm, normalisation
from ddbench.networks.stack import StackClassifier, check_left, check_maps, check_norm

STAGES = (1, 2, 4, 8)
"""Widths of the four stages, in first widths; all but the first halve the map."""
BLOCKS = 2


class ResNetConfig(PluginConfig):
    """Arguments of both ResNets."""

    width: int = Field(default=64, ge=1, description="Channels of the first stage; the others are 2, 4 and 8 ×.")
    norm: Norm = Field(default="instance", description="none, instance, batch (the published 'BN'), layer or group.")


class ResNet18Config(ResNetConfig):
    """Arguments of ResNet18."""

    stem: Literal["cifar", "imagenet"] = Field(
        default="cifar",
        description="cifar: 3×3 convolution; imagenet: 7×7 with stride 2, then 3×3 max-pooling with stride 2, "
        "as in the pool used at 128² and 256².",
    )


class Block(nn.Module):
    """Two 3×3 convolutions and what goes round them. Halved by a stride, or by average pooling (`pooled`)."""

    def __init__(
        self, inputs: int, outputs: int, norm: Norm, before: tuple[int, ...], after: tuple[int, ...], pooled: bool
    ) -> None:
        super().__init__()
        halves = before != after
        stride, pool = (1, nn.AvgPool2d(2)) if pooled and halves else (2 if halves else 1, nn.Identity())
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = normalisation(norm, outputs, before if pooled else after)
        self.pool = pool
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = normalisation(norm, outputs, after)
        self.around: nn.Module = nn.Identity()
        if halves or inputs != outputs:
            narrow = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.around = nn.Sequential(narrow, pool, normalisation(norm, outputs, after))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        y = self.pool(F.relu(self.norm1(self.conv1(x))))
        return F.relu(self.norm2(self.conv2(y)) + self.around(x))


class ResNet18(Network):
    """ResNet18 with the CIFAR stem: four stages of two blocks, then the mean over the last map.

    `x → conv 3-64 → [block, block] × (64, 128, 256, 512) → average → linear → logits`

    The last map is 4×4 at 28² and 32², which is the published 4×4 average; the linear layer stands on 512 features at
    every size.
    """

    version = "1"
    source = "protocols.md §4; He et al. 2016 as used by DC (arXiv 2006.05929) and GLaD (arXiv 2305.01649)"
    Config = ResNet18Config

    def build(self, shape: tuple[int, ...], n_classes: int) -> StackClassifier:
        return _resnet("resnet18", shape, n_classes, self.config, self.config.stem, pooled=False)


class ResNet18Ap(Network):
    """ResNet18_AP: strided convolutions become convolutions followed by 2×2 average pooling; no average at the end.

    `x → conv 3-64 → [block, block] × (64, 128, 256, 512) → flatten → linear → logits`

    The linear layer stands on 512·⌊S/8⌋² features: 512·3² at 28², 512·4² at 32², as published; 512·16² at 128².
    """

    version = "1"
    source = "protocols.md §4; DC (arXiv 2006.05929), MTT (arXiv 2203.11932)"
    Config = ResNetConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> StackClassifier:
        return _resnet("resnet18_ap", shape, n_classes, self.config, "cifar", pooled=True)


def _resnet(
    name: str, shape: tuple[int, ...], n_classes: int, config: ResNetConfig, stem: str, pooled: bool
) -> StackClassifier:
    check_maps(name, shape)
    check_norm(name, config.norm, config.width)
    channels, extent = config.width, shape[1:]
    layers: list[nn.Module] = []
    if stem == "imagenet":
        extent = tuple(ceil(side / 2) for side in extent)
        layers.append(nn.Conv2d(shape[0], channels, 7, 2, padding=3, bias=False))
    else:
        layers.append(nn.Conv2d(shape[0], channels, 3, padding=1, bias=False))
    layers += [normalisation(config.norm, channels, extent), nn.ReLU()]
    if stem == "imagenet":
        extent = tuple(ceil(side / 2) for side in extent)
        layers.append(nn.MaxPool2d(3, 2, padding=1))
    for stage, times in enumerate(STAGES):
        for block in range(BLOCKS):
            before, width = extent, times * config.width
            if stage and not block:
                extent = tuple(side // 2 if pooled else ceil(side / 2) for side in extent)
                check_left(name, shape, extent, config.norm)
            layers.append(Block(channels, width, config.norm, before, extent, pooled))
            channels = width
    if pooled:
        return StackClassifier(nn.Sequential(*layers), channels * prod(extent), n_classes)
    return StackClassifier(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1)), channels, n_classes)
