"""A network whose weights are one flat vector: what trajectories are made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from ddbench.interfaces.network import Classifier


class FlatNetwork:
    """Logits as a function of weights θ `[P]` and inputs, in train mode; P is the number of weights."""

    def __init__(self, model: Classifier) -> None:
        self.model = model.train().requires_grad_(False)
        self.shapes = {name: p.shape for name, p in model.named_parameters()}
        self.sizes = [shape.numel() for shape in self.shapes.values()]

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def weights(self) -> Float[Tensor, " p"]:
        """The model's own weights."""
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])

    def __call__(self, theta: Float[Tensor, " p"], x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        parts = theta.split(self.sizes)
        named = {name: part.view(shape) for part, (name, shape) in zip(parts, self.shapes.items())}
        return functional_call(self.model, named, (x,))

    def loss(self, theta: Float[Tensor, " p"], x: Float[Tensor, "b *shape"], y: Tensor) -> Float[Tensor, ""]:
        """Mean cross-entropy; y `[b]` are classes, or `[b, k]` probabilities."""
        return cross_entropy(self(theta, x), y)


@contextmanager
def noise(seed: int, device: torch.device) -> Iterator[None]:
    """What the network draws itself (dropout) depends on the seed alone, so that a step can be computed twice."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
