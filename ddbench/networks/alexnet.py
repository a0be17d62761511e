"""AlexNet as the field trains it: five convolutions without norm and one linear layer."""

from __future__ import annotations

from pydantic import Field

from ddbench.interfaces.network import Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.layers import Norm
from ddbench.networks.stack import Conv, Pool, StackClassifier, check_maps, check_norm, first_padding, stack


class AlexNetConfig(PluginConfig):
    """Arguments of AlexNet."""

    width: int = Field(
        default=128, ge=2, multiple_of=2, description="Channels of the first convolution; the others are 1.5 or 2 ×."
    )
    norm: Norm = Field(
        default="none", description="Norm after each convolution: none (as published), instance, batch, layer or group."
    )
    padding: int | None = Field(
        default=None,
        ge=0,
        description="Padding of the first convolution; default: 2, and what fills sides under 32 up to 32 (28 → 4).",
    )


class AlexNet(Network):
    """AlexNet for small images.

    `x → [conv 5-128 → pool → conv 5-192 → pool → conv 3-256, 3-192, 3-192 → pool] → flatten → linear → logits`

    The linear layer stands on 192·⌊S/8⌋² features, S at least 32: 192·4² at 28² and 32², 192·16² at 128². That is also
    the AlexNet of the pool used at 128² and 256², which has no global pooling.
    """

    version = "1"
    source = "protocols.md §4; Krizhevsky et al. 2012 as used by DC (arXiv 2006.05929) and GLaD (arXiv 2305.01649)"
    Config = AlexNetConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> StackClassifier:
        name, w, norm = "alexnet", self.config.width, self.config.norm
        check_maps(name, shape)
        check_norm(name, norm, w // 2)
        first = first_padding(name, shape, 2, self.config.padding)
        half = w // 2
        steps = [
            Conv(w, 5, first), Pool(),
            Conv(3 * half, 5, 2), Pool(),
            Conv(2 * w, 3, 1), Conv(3 * half, 3, 1), Conv(3 * half, 3, 1), Pool(),
        ]  # fmt: skip
        return StackClassifier(*stack(name, shape, steps, norm), n_classes)
