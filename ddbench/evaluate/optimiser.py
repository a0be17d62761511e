"""SGD and AdamW on the weights of S students held in one buffer `[S, P]`, with students that stop on their own.

One buffer makes an update a few operations in all instead of a few for each tensor of the network. Values are those of
torch.optim.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ddbench.spec.cell import Training

BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass
class Optimiser:
    """The update rule of a `Training` and its state."""

    training: Training
    weights: Float[Tensor, "s p"]
    _first: Tensor = field(init=False)
    _second: Tensor = field(init=False)
    _count: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self._first = torch.zeros_like(self.weights)
        adamw = self.training.optimiser == "adamw"
        self._second = torch.zeros_like(self.weights) if adamw else self.weights.new_empty(0)
        self._count = torch.zeros((), dtype=torch.long)

    def tensors(self) -> dict[str, Tensor]:
        """All that the next update depends on, live."""
        return {"weights": self.weights, "first": self._first, "second": self._second, "count": self._count}

    def reset(self) -> None:
        """Forgets momentum and moments."""
        self._first.zero_()
        self._second.zero_()
        self._count.zero_()

    @torch.no_grad()
    def update(self, gradient: Float[Tensor, "s p"], lr: float, alive: Bool[Tensor, " s"]) -> None:
        """One update in place, of the students that are `alive`. Overwrites `gradient`."""
        step = self._sgd(gradient, lr) if self.training.optimiser == "sgd" else self._adamw(gradient, lr)
        self.weights.sub_(torch.where(alive[:, None], step, 0.0))

    def _sgd(self, gradient: Tensor, lr: float) -> Tensor:
        gradient.add_(self.weights, alpha=self.training.weight_decay)
        self._first.mul_(self.training.momentum).add_(gradient)
        return torch.mul(self._first, lr, out=gradient)

    def _adamw(self, gradient: Tensor, lr: float) -> Tensor:
        count = int(self._count.add_(1))
        self._first.lerp_(gradient, 1 - BETAS[0])
        self._second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        spread = self._second.sqrt().div_(sqrt(1 - BETAS[1] ** count)).add_(EPSILON)
        step = (self._first / spread).mul_(lr / (1 - BETAS[0] ** count))
        return step.add_(self.weights, alpha=lr * self.training.weight_decay)
