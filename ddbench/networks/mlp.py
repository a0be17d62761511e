"""The multi-layer perceptron: fully connected layers on the flattened signal, of any shape."""

from __future__ import annotations

from math import prod

from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig


class MlpConfig(PluginConfig):
    """Arguments of the MLP."""

    hidden: tuple[PositiveInt, ...] = Field(
        default=(128, 128), min_length=1, description="Widths of the hidden layers."
    )


class MlpClassifier(Classifier):
    """Hidden layers with ReLU, then one linear layer. Features are the last hidden layer's activations."""

    def __init__(self, shape: tuple[int, ...], n_classes: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        widths = (prod(shape), *hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in zip(widths, hidden):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], n_classes)

    def embed(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        return self.features(x)

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        return self.head(self.features(x))


class Mlp(Network):
    """An MLP with ReLU; two hidden layers of 128 by default. `x → flatten → [linear → ReLU]… → linear → logits`"""

    version = "1"
    source = "protocols.md §4"
    Config = MlpConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> MlpClassifier:
        return MlpClassifier(shape, n_classes, self.config.hidden)
