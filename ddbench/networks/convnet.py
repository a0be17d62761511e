"""ConvNet-D: the field's standard student, for maps (c, h, w) and series (c, t)."""

from __future__ import annotations

from math import ceil, log2, prod

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ddbench.errors import SpecError
from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.networks.layers import (
    ACTIVATIONS,
    GROUPS,
    Activation,
    Norm,
    Pooling,
    convolution,
    normalisation,
    pool,
)

KERNEL = 3
LAST_SIDE = 4
"""Side of the final map that the automatic depth aims at."""


class ConvNetConfig(PluginConfig):
    """Arguments of ConvNet-D."""

    depth: int | None = Field(
        default=None,
        ge=1,
        description="D, the number of blocks; default max(1, round(log2(S/4))), S the smallest extent.",
    )
    width: int = Field(default=128, ge=1, description="Channels of every block.")
    norm: Norm = Field(default="instance", description="none, instance, batch, layer or group (4 groups).")
    activation: Activation = Field(default="relu", description="relu, leaky_relu, sigmoid or swish.")
    pooling: Pooling = Field(default="avg", description="avg, max (size 2, stride 2) or none.")
    padding: int | None = Field(
        default=None,
        ge=0,
        description="Padding of the first convolution; default: what brings S to 4·2^D for the default D (28 → 3).",
    )


def auto_depth(extent: tuple[int, ...]) -> int:
    """D = max(1, round(log2(S/4))) with S the smallest extent: the final map is about 4 wide (3 at 32², 2 at 14²)."""
    return max(1, round(log2(min(extent) / LAST_SIDE)))


def auto_padding(extent: tuple[int, ...]) -> int:
    """Padding of the first convolution that fills S up to 4·2^D: 1 at 32², 3 at 28², 2 at 14².

    It goes by size alone: the published rule "3 where there is one channel" would pad one-channel codes by accident.
    It takes the automatic D also where another depth is asked for, so that a depth ablation changes the depth only.
    """
    return 1 + max(0, ceil((LAST_SIDE * 2 ** auto_depth(extent) - min(extent)) / 2))


class ConvNetClassifier(Classifier):
    """D blocks of [conv 3 → norm → activation → pool], flattened into one linear layer."""

    def __init__(self, shape: tuple[int, ...], n_classes: int, config: ConvNetConfig) -> None:
        super().__init__()
        channels, extent = shape[0], shape[1:]
        depth = config.depth or auto_depth(extent)
        first = auto_padding(extent) if config.padding is None else config.padding
        blocks: list[nn.Module] = []
        for block in range(depth):
            padding = 1 if block else first
            extent = tuple(s + 2 * padding - (KERNEL - 1) for s in extent)
            blocks += [
                convolution(len(extent), config.width if block else channels, config.width, padding),
                normalisation(config.norm, config.width, extent),
                ACTIVATIONS[config.activation](),
                pool(config.pooling, len(extent)),
            ]
            extent = extent if config.pooling == "none" else tuple(s // 2 for s in extent)
            if min(extent) < 1:
                raise SpecError(
                    f"A ConvNet of depth {depth} does not take signals of shape {shape}: after block {block + 1} "
                    f"nothing is left. Ask for depth {max(block, 1)} or less, a larger padding, or pooling: none."
                )
        self.features = nn.Sequential(*blocks)
        self.head = nn.Linear(config.width * prod(extent), n_classes)

    def embed(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        return self.features(x).flatten(1)

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        return self.head(self.embed(x))


class ConvNet(Network):
    """ConvNet-D, in one or two dimensions by the number of axes of the signal.

    `x → [conv 3 → norm → activation → pool 2] × D → flatten → linear → logits`
    """

    version = "1"
    source = "protocols.md §4; Gidaris & Komodakis 2018 (arXiv 1804.09458) as used by DC (arXiv 2006.05929)"
    Config = ConvNetConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> ConvNetClassifier:
        if len(shape) not in (2, 3):
            raise SpecError(
                f"The network 'convnet' takes series (c, t) and maps (c, h, w); this signal has shape {shape}. "
                "Use 'mlp', or 'auto', which chooses by shape."
            )
        if self.config.norm == "group" and self.config.width % GROUPS:
            raise SpecError(
                f"norm: group makes {GROUPS} groups of channels; a width of {self.config.width} does not divide by "
                f"{GROUPS}. Ask for a multiple of {GROUPS}."
            )
        return ConvNetClassifier(shape, n_classes, self.config)
