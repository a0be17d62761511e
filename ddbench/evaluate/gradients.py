"""Gradients of students' weights for one update, of one student or of several together, by parts of a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional as F

from ddbench.evaluate.weights import Weights
from ddbench.interfaces.network import Classifier
from ddbench.interfaces.parts import in_parts, part_in_training

Gradients = Callable[[Float[Tensor, "s b *shape"], Tensor], Float[Tensor, " s"]]
"""Fills the weights' gradients for one update of each student; gives the losses."""


def single_gradients(weights: Weights) -> Gradients:
    """Gradients of one student by plain backward."""
    (model,) = weights.models

    def gradients(x: Tensor, y: Tensor) -> Tensor:
        weights.gradients.zero_()
        losses = []
        for part, of_part, share in in_parts(x, y, _part(model, x), dim=1):
            loss = F.cross_entropy(model(part[0]), of_part[0]) * share
            loss.backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum()[None]

    return gradients


def stacked_gradients(weights: Weights) -> Gradients:
    """Gradients of all students in one computation over stacked weights."""
    forward = vmap(lambda parameters, x: functional_call(weights.models[0], parameters, (x,)), randomness="error")

    def gradients(x: Tensor, y: Tensor) -> Tensor:
        weights.gradients.zero_()
        losses = []
        for part, of_part, share in in_parts(x, y, _part(weights.models[0], x), dim=1):
            leaf = weights.values.detach().requires_grad_()
            logits, told = forward(dict(weights.split(leaf)), part), of_part.flatten(0, 1)
            of_students = F.cross_entropy(logits.flatten(0, 1), told, reduction="none").view(part.shape[:2])
            loss = of_students.mean(1) * share
            # Students do not touch each other, so the gradient of the sum holds each student's own.
            weights.gradients += torch.autograd.grad(loss.sum(), leaf)[0]
            losses.append(loss.detach())
        return torch.stack(losses).sum(0)

    return gradients


def _part(model: Classifier, x: Float[Tensor, "s b *shape"]) -> int:
    """Of each student's batch so many at once."""
    return part_in_training(model, x.shape[2:], x.shape[1], networks=len(x))
