"""Adam under a cosine, written out: torch.optim imports torch's compiler when first used, seconds in every process."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.99, 1e-8


class Adam:
    """Moves tensors along their gradients; the rate falls from its first value to 0 as a cosine over `steps` steps.

    Source: arXiv 1412.6980, algorithm 1, with β₂ = 0.99, since fits are short.
    """

    def __init__(self, params: Sequence[Tensor], rate: float, steps: int) -> None:
        self.params, self.rate, self.steps, self.step = list(params), rate, steps, 0
        self._m = [torch.zeros_like(p) for p in params]
        self._v = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def descend(self, grads: Sequence[Tensor]) -> None:
        rate = self.rate * (1 + math.cos(math.pi * self.step / self.steps)) / 2
        self.step += 1
        for p, g, m, v in zip(self.params, grads, self._m, self._v):
            # Products and sums apart: fused, they round differently in a vector's last few values than in its first.
            m.mul_(BETA1).add_((1 - BETA1) * g)
            v.mul_(BETA2).add_((1 - BETA2) * (g * g))
            scale = (v / (1 - BETA2**self.step)).sqrt_().add_(EPS)
            p.sub_((rate / (1 - BETA1**self.step)) * m / scale)
