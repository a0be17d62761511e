"""The matching loss of the DC family: the distance between real and synthetic gradients, summed over classes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.interfaces.network import Classifier
from ddbench_methods.class_gradients import Batched, class_gradients, classes_at_once
from ddbench_methods.gradient_distance import DISTANCES, Distance, has_rows


def matching_loss(
    network: Classifier,
    real: Float[Tensor, "k b *shape"],
    synthetic: Float[Tensor, "k n *shape"],
    distance: Distance,
    batched: Batched = "auto",
) -> Float[Tensor, ""]:
    """L = Σ_c D(∇_θ CE(r_c), ∇_θ CE(s_c)), differentiable in `synthetic`.

    A class's distance depends on its own items only, so its part of ∂L/∂s is worked out at once and its graph dropped:
    memory does not grow with the number of classes. The network is put in evaluation mode (batch norm frozen).
    """
    network.eval().requires_grad_(False)
    weights = {n: p for n, p in network.named_parameters() if distance != "ours" or has_rows(p)}
    for w in weights.values():
        w.requires_grad_()
    y = torch.arange(len(real), device=real.device)
    at_once, of_real = (classes_at_once(x, batched) for x in (synthetic, real))
    measure = DISTANCES[distance]
    losses, slopes = [], []
    for r, s, labels in zip(real.split(at_once), synthetic.detach().split(at_once), y.split(at_once)):
        target = class_gradients(network, weights, r, labels, of_real, keep_graph=False)
        s.requires_grad_()
        loss = measure(target, class_gradients(network, weights, s, labels, at_once, keep_graph=True)).sum()
        slopes.append(torch.autograd.grad(loss, s)[0])
        losses.append(loss.detach())
    return with_slope(torch.stack(losses).sum(), synthetic, torch.cat(slopes))


def with_slope(value: Float[Tensor, ""], x: Float[Tensor, "*shape"], slope: Float[Tensor, "*shape"]) -> Tensor:
    """A scalar that is `value` and whose gradient in x is `slope`."""
    return value + ((x - x.detach()) * slope).sum()
