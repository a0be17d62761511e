"""The parts that ConvNet-D is made of, by the names that its arguments use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from ddbench.networks.cpu_layers import AvgPool, InstanceNorm

Norm = Literal["none", "instance", "batch", "layer", "group"]
Activation = Literal["relu", "leaky_relu", "sigmoid", "swish"]
Pooling = Literal["avg", "max", "none"]

GROUPS = 4
LEAKY_SLOPE = 0.01

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(LEAKY_SLOPE),
    "sigmoid": nn.Sigmoid,
    "swish": nn.SiLU,
}


def convolution(axes: int, inputs: int, outputs: int, padding: int) -> nn.Module:
    """A convolution of size 3 with bias over 1 or 2 axes."""
    return (nn.Conv1d, nn.Conv2d)[axes - 1](inputs, outputs, 3, padding=padding)


def normalisation(name: str, width: int, extent: Sequence[int]) -> nn.Module:
    """A normalisation with affine parameters for maps of `width` channels.

    "Instance" norm is GroupNorm with one channel a group: per item, no running statistics (protocols.md §4).
    """
    if name == "instance":
        return InstanceNorm(width)
    if name == "group":
        return nn.GroupNorm(GROUPS, width)
    if name == "layer":
        return nn.LayerNorm([width, *extent])
    if name == "batch":
        return (nn.BatchNorm1d, nn.BatchNorm2d)[len(extent) - 1](width)
    return nn.Identity()


def pool(name: str, axes: int) -> nn.Module:
    """A pooling of size and stride 2 over 1 or 2 axes."""
    if name == "none":
        return nn.Identity()
    if name == "avg":
        return nn.AvgPool1d(2) if axes == 1 else AvgPool()
    return (nn.MaxPool1d, nn.MaxPool2d)[axes - 1](2)
