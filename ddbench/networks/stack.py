"""A plain stack of convolutions and max-poolings: what AlexNet, VGG11 and LeNet are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from jaxtyping import Float
from torch import Tensor, nn

from ddbench.errors import SpecError
from ddbench.interfaces.network import Classifier
from ddbench.networks.layers import GROUPS, Norm, normalisation

FULL_SIDE = 32
"""Side that the published students were drawn up for."""
SMALLEST_SIDE = 16
"""Smaller maps are not filled up by themselves: the network would see more zeros than signal."""
POOL_SIDE = 2


@dataclass(frozen=True)
class Conv:
    """A convolution with bias, stride 1, then norm and ReLU."""

    width: int
    kernel: int
    padding: int | tuple[int, ...]


@dataclass(frozen=True)
class Pool:
    """Max-pooling of size and stride 2."""


def check_maps(name: str, shape: tuple[int, ...]) -> None:
    """Raises: SpecError for signals that are not maps."""
    if len(shape) != 3:
        raise SpecError(
            f"The network {name!r} takes maps (c, h, w); this signal has shape {shape}. "
            "Use 'auto', which chooses by shape."
        )


def first_padding(name: str, shape: tuple[int, ...], own: int, asked: int | None) -> tuple[int, ...]:
    """Padding of the first convolution on each axis: `own`, and what fills an extent under 32 up to 32.

    It goes by size: the published rule "3 (VGG) or 4 (AlexNet) where there is one channel" is the same at 1×28², and
    would pad one-channel codes of 32² by accident.

    Raises: SpecError for maps under 16 unless a padding is asked for.
    """
    if asked is not None:
        return tuple(asked for _ in shape[1:])
    if min(shape[1:]) < SMALLEST_SIDE:
        raise SpecError(
            f"The network {name!r} takes maps from {SMALLEST_SIDE} on; this signal has shape {shape}. "
            f"Use 'auto', which follows the shape, or ask for padding: {own + ceil((FULL_SIDE - min(shape[1:])) / 2)}, "
            f"which fills it up to {FULL_SIDE}."
        )
    return tuple(own + max(0, ceil((FULL_SIDE - side) / 2)) for side in shape[1:])


def check_norm(name: str, norm: Norm, width: int) -> None:
    """Raises: SpecError where the groups of `norm: group` do not divide the narrowest layer."""
    if norm == "group" and width % GROUPS:
        raise SpecError(
            f"norm: group makes {GROUPS} groups of channels; the layers of {name!r} with width {width} do not all "
            f"divide by {GROUPS}. Ask for a multiple of {2 * GROUPS}."
        )


def stack(name: str, shape: tuple[int, ...], steps: Sequence[Conv | Pool], norm: Norm) -> tuple[nn.Sequential, int]:
    """(the layers, channels × height × width of what they give).

    Raises: SpecError where maps shrink to nothing, or to a single value that instance norm would make zero.
    """
    channels, extent = shape[0], shape[1:]
    layers: list[nn.Module] = []
    for step in steps:
        if isinstance(step, Pool):
            layers.append(nn.MaxPool2d(POOL_SIDE))
            extent = tuple(side // POOL_SIDE for side in extent)
        else:
            padding = step.padding if isinstance(step.padding, tuple) else (step.padding, step.padding)
            extent = tuple(side + 2 * p - step.kernel + 1 for side, p in zip(extent, padding))
            check_left(name, shape, extent, norm)
            layers += [
                nn.Conv2d(channels, step.width, step.kernel, padding=(padding[0], padding[1])),
                normalisation(norm, step.width, extent),
                nn.ReLU(),
            ]
            channels = step.width
        check_left(name, shape, extent)
    return nn.Sequential(*layers), channels * prod(extent)


def check_left(name: str, shape: tuple[int, ...], extent: tuple[int, ...], norm: Norm = "none") -> None:
    """Raises: SpecError for a map with no value, or with a single one under instance norm."""
    if min(extent) < 1 or (norm == "instance" and prod(extent) == 1):
        why = "nothing is left" if min(extent) < 1 else "instance norm sees a single value and makes it zero"
        raise SpecError(
            f"The network {name!r} does not take signals of shape {shape}: before its last layer {why}. "
            "Give larger signals, a larger padding where the network has one, or use 'auto'."
        )


class StackClassifier(Classifier):
    """Layers, flattened into one linear layer."""

    def __init__(self, features: nn.Module, embedding: int, n_classes: int) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(embedding, n_classes)

    def embed(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        return self.features(x).flatten(1)

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        return self.head(self.embed(x))
