"""The network that follows the shape: ConvNet-D for maps and series, MLP for vectors."""

from __future__ import annotations

from pydantic import Field

from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.convnet import ConvNet, ConvNetConfig
from ddbench.networks.layers import Norm
from ddbench.networks.mlp import Mlp, MlpConfig


class AutoConfig(PluginConfig):
    """Arguments of the choice by shape."""

    width: int = Field(
        default=128, ge=1, description="Channels of the ConvNet's blocks, units of the MLP's two hidden layers."
    )
    norm: Norm = Field(default="instance", description="Norm of the ConvNet: none, instance, batch, layer or group.")


class Auto(Network):
    """ConvNet-D, D = max(1, round(log2(S/4))), for signals with one or two axes behind the channels; else the MLP."""

    version = "1"
    source = "DESIGN.md §5, 'Match space is a property of the cell'"
    Config = AutoConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> Classifier:
        width = self.config.width
        if len(shape) in (2, 3):
            return ConvNet(ConvNetConfig(width=width, norm=self.config.norm)).build(shape, n_classes)
        return Mlp(MlpConfig(hidden=(width, width))).build(shape, n_classes)
