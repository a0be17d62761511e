"""A network: the student's architecture, built for a shape; its features for matching."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ddbench.interfaces.plugin import Plugin

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


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


def has_batch_norm(model: nn.Module) -> bool:
    """Whether what the model says of an item depends, in training, on the batch that it is in."""
    return any(isinstance(m, _BatchNorm) for m in model.modules())


@dataclass(frozen=True)
class Measures:
    """A network on a shape, in numbers."""

    weights: int
    embedding: int
    """Numbers of one embedding."""
    batch_norm: bool
    """Whether an embedding depends on the batch that it is in."""
    flop: int = 0
    """Operations of one value's forward pass: multiplications and additions of convolutions and linear layers."""
    activations: int = 0
    """Numbers that its layers give for one value, which a backward pass needs."""


def measures(network: Network, shape: tuple[int, ...], n_classes: int) -> Measures:
    """What is known of a network without memory for its weights. Raises: SpecError where it does not take the shape."""
    model = weightless(network, shape, n_classes).eval()
    flop = activations = 0

    def note(layer: nn.Module, _: object, y: object) -> None:
        nonlocal flop, activations
        if isinstance(y, Tensor):
            activations += y.numel()
            flop += 2 * y.numel() * layer.weight[0].numel() if isinstance(layer, LAYERS) else 0

    noted = [m.register_forward_hook(note) for m in model.modules() if not any(True for _ in m.children())]
    x = torch.empty(1, *shape, device="meta")
    with torch.no_grad():
        model(x)
        for hook in noted:
            hook.remove()
        embedded = model.embed(x)
    weights = sum(p.numel() for p in model.parameters())
    return Measures(weights, embedded.numel(), has_batch_norm(model), flop, activations)
