"""A network: the student's architecture, built for a shape; its features for matching."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ddbench.interfaces.plugin import Plugin


class Classifier(nn.Module, ABC):
    """A module that gives logits and, before its last linear layer, features."""

    @abstractmethod
    def embed(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        """Flattened output of the last feature block."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        """Logits."""


class Network(Plugin):
    """An architecture. Weights are PyTorch's default initialisation, drawn from the global generator."""

    @abstractmethod
    def build(self, shape: tuple[int, ...], n_classes: int) -> Classifier:
        """A freshly initialised classifier for signals or codes of `shape` (channels first, no batch axis).

        Raises: SpecError where the architecture does not take the shape.
        """


def fresh(
    network: Network, shape: tuple[int, ...], n_classes: int, seed: int, device: str | torch.device
) -> Classifier:
    """A classifier whose initial weights depend on `seed` alone: drawn on the CPU, then moved."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network.build(shape, n_classes).to(device)


def weightless(network: Network, shape: tuple[int, ...], n_classes: int) -> Classifier:
    """The classifier without memory for its weights: enough to learn whether the shape is taken, and its size."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return network.build(shape, n_classes)


def count_weights(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
