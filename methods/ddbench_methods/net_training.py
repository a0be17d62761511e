"""The inner loop of DC: the match network trained for some epochs on the synthetic set as it stands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from ddbench.interfaces.network import Classifier, has_batch_norm
from ddbench.interfaces.parts import part_of


def train(
    network: Classifier,
    x: Float[Tensor, "m *shape"],
    y: Int[Tensor, " m"],
    epochs: int,
    batch: int,
    lr: float,
    order: Generator,
    augment: Callable[[Tensor], Tensor],
) -> None:
    """Trains in place by plain SGD (no momentum, no decay): every epoch in a new order, its last batch may be short."""
    network.train().requires_grad_()
    weights = list(network.parameters())
    size = batch if has_batch_norm(network) else part_of(x.device, x.shape[1:])
    for _ in range(epochs):
        for index in torch.randperm(len(x), generator=order).split(batch):
            index = index.to(x.device)
            images, labels = augment(x[index]), y[index]
            for part, of_part in zip(images.split(size), labels.split(size)):
                loss = cross_entropy(network(part), of_part, reduction="sum") / len(index)
                for w, g in zip(weights, torch.autograd.grad(loss, weights)):
                    w.grad = g if w.grad is None else w.grad.add_(g)
            with torch.no_grad():
                for w in weights:
                    assert w.grad is not None
                    w.sub_(w.grad, alpha=lr)
                    w.grad = None
