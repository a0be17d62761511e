"""One update of the learned leaves along their gradients: SGD with momentum, or Adam.

Written out because torch.optim imports torch's compiler when first used: seconds in every process.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from ddbench.distill.task import Matching
from ddbench.interfaces.method import MatcherConfig

BETAS = (0.9, 0.999)
EPSILON = 1e-8
SQUARES, COUNT = "/squares", "/count"
"""What Adam keeps of a leaf beside its running gradient, under the leaf's name and this."""


@torch.no_grad()
def descend(task: Matching, config: MatcherConfig, kept: dict[str, Tensor]) -> None:
    """Moves every leaf that has a gradient; `kept` is what the optimiser remembers, by leaf.

    A leaf's `lr_scale` is 1/‖J‖², the inverse of how far a step along Jᵀg moves the signal. Adam's steps have no length
    of g's: its signal moves by ‖J‖ times the step, so codec leaves take the root of it.
    """
    for name, p in task.params.items():
        if p.grad is None:
            continue
        scale = task.lr_scale[name]
        if config.optimiser == "sgd":
            p.add_(_sgd(name, p.grad, task.momentum.get(name, config.momentum), kept), alpha=-config.lr * scale)
        else:
            scale = scale if name in task.extra_names else sqrt(scale)
            p.add_(_adam(name, p.grad, kept), alpha=-config.lr * scale)


def _sgd(name: str, g: Tensor, beta: float, kept: dict[str, Tensor]) -> Tensor:
    """v ← β·v + g (at first v = g): torch.optim.SGD to the bit."""
    if not beta:
        return g
    v = kept[name].mul_(beta).add_(g) if name in kept else g.clone()
    kept[name] = v
    return v


def _adam(name: str, g: Tensor, kept: dict[str, Tensor]) -> Tensor:
    """m ← β₁m + (1−β₁)g, s ← β₂s + (1−β₂)g², the step m̂ / (√ŝ + ε) of arXiv 1412.6980, algorithm 1."""
    if name not in kept:
        kept |= {name: torch.zeros_like(g), name + SQUARES: torch.zeros_like(g), name + COUNT: torch.zeros(())}
    count = int(kept[name + COUNT].add_(1))
    first = kept[name].lerp_(g, 1 - BETAS[0])
    squares = kept[name + SQUARES].mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
    spread = (squares / (1 - BETAS[1] ** count)).sqrt_().add_(EPSILON)
    return (first / (1 - BETAS[0] ** count)).div_(spread)
