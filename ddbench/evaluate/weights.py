"""The weights of several models of one architecture in one buffer, of which the models' parameters are views."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.interfaces.network import Classifier

ALIGNED = 16
"""Elements to whose multiple each tensor's place is rounded up, so that vector instructions meet aligned data."""


class Weights:
    """Weights `[S, P]` and gradients `[S, P]` of S models. Changing a row changes its model, backward fills its row."""

    def __init__(self, models: Sequence[Classifier]) -> None:
        self.models = models
        self.shapes = {name: p.shape for name, p in models[0].named_parameters()}
        self.sizes = [-(-shape.numel() // ALIGNED) * ALIGNED for shape in self.shapes.values()]
        first = next(models[0].parameters())
        self.values = torch.zeros(len(models), sum(self.sizes), dtype=first.dtype, device=first.device)
        self.gradients = torch.zeros_like(self.values)
        for model, values, gradients in zip(models, self.values, self.gradients):
            places = zip(model.named_parameters(), self.split(values), self.split(gradients))
            for (_, parameter), (_, value), (_, gradient) in places:
                value.copy_(parameter.detach())
                parameter.data = value
                parameter.grad = gradient

    def split(self, buffer: Float[Tensor, "*s p"]) -> list[tuple[str, Tensor]]:
        """The buffer's parameter tensors by name, `[*S, *shape]` each; views, with gradient."""
        return [
            (name, part[..., : shape.numel()].unflatten(-1, shape or (1,)).reshape(*buffer.shape[:-1], *shape))
            for part, (name, shape) in zip(buffer.split(self.sizes, dim=-1), self.shapes.items())
        ]
