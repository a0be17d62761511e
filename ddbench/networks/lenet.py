"""LeNet: two 5×5 convolutions and three linear layers."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from ddbench.interfaces.network import Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.stack import Conv, Pool, StackClassifier, check_maps, first_padding, stack

HIDDEN = (120, 84)


class LeNetConfig(PluginConfig):
    """Arguments of LeNet."""

    padding: int | None = Field(
        default=None,
        ge=0,
        description="Padding of the first convolution; default: 0, and what fills sides under 32 up to 32 (28 → 2).",
    )


class LeNet(Network):
    """LeNet with ReLU and max-pooling, without norm; features are the 84 units before the last layer.

    `x → conv 5-6 → pool → conv 5-16 → pool → flatten → linear 120 → linear 84 → linear → logits`

    The first linear layer stands on 16·⌊(⌊(S−4)/2⌋−4)/2⌋² features, S at least 32: 16·5² at 28² and 32²,
    16·29² at 128².
    """

    version = "1"
    source = "protocols.md §4; LeCun et al. 1998 as used by DC (arXiv 2006.05929)"
    Config = LeNetConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> StackClassifier:
        check_maps("lenet", shape)
        first = first_padding("lenet", shape, 0, self.config.padding)
        maps, flat = stack("lenet", shape, [Conv(6, 5, first), Pool(), Conv(16, 5, 0), Pool()], "none")
        one, two = HIDDEN
        hidden = [nn.Flatten(), nn.Linear(flat, one), nn.ReLU(), nn.Linear(one, two), nn.ReLU()]
        return StackClassifier(nn.Sequential(*maps, *hidden), two, n_classes)
