"""The matching loss of the DC family: the distance between real and synthetic gradients, summed over classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.interfaces.network import Classifier
from ddbench.interfaces.parts import GRAPH, values_at_once
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
    memory does not grow with the number of classes, nor, beyond `GRAPH`, with the items of one. The network is put in
    evaluation mode (batch norm frozen).
    """
    network.eval().requires_grad_(False)
    weights = {n: p for n, p in network.named_parameters() if distance != "ours" or has_rows(p)}
    for w in weights.values():
        w.requires_grad_()
    y = torch.arange(len(real), device=real.device)
    at_once, of_real = (classes_at_once(x, batched) for x in (synthetic, real))
    measure = DISTANCES[distance]
    part, losses, slopes = values_at_once(synthetic.shape[2:], GRAPH), [], []
    for r, s, labels in zip(real.split(at_once), synthetic.detach().split(at_once), y.split(at_once)):
        target = class_gradients(network, weights, r, labels, of_real, keep_graph=False)
        if s.shape[1] > part:
            loss, slope = _of_large_class(network, weights, target, s, labels, measure, part)
        else:
            s.requires_grad_()
            loss = measure(target, class_gradients(network, weights, s, labels, at_once, keep_graph=True)).sum()
            (slope,) = torch.autograd.grad(loss, s)
        losses.append(loss.detach())
        slopes.append(slope)
    return with_slope(torch.stack(losses).sum(), synthetic, torch.cat(slopes))


def _of_large_class(
    network: Classifier,
    weights: Mapping[str, Tensor],
    target: list[Tensor],
    s: Float[Tensor, "1 n *shape"],
    label: Int[Tensor, " 1"],
    measure: Callable[[list[Tensor], list[Tensor]], Tensor],
    part: int,
) -> tuple[Tensor, Tensor]:
    """(loss, slope in s) of one class by parts of its items: first g = ∇_θ CE(s), hence v = ∂D/∂g, then ∂⟨v, g⟩/∂s.

    g is a sum over items, so that each part's ⟨v, g⟩ has the whole slope in that part's items.
    """
    found = [g.detach().requires_grad_() for g in class_gradients(network, weights, s, label, 1, keep_graph=False)]
    loss = measure(target, found).sum()
    along, slopes = torch.autograd.grad(loss, found), []
    for items in s.split(part, dim=1):
        items.requires_grad_()
        of_part = class_gradients(network, weights, items, label, 1, keep_graph=True)
        product = torch.stack([(v * g).sum() for v, g in zip(along, of_part, strict=True)]).sum()
        slopes.append(torch.autograd.grad(product * (items.shape[1] / s.shape[1]), items)[0])
    return loss, torch.cat(slopes, 1)


def with_slope(value: Float[Tensor, ""], x: Float[Tensor, "*shape"], slope: Float[Tensor, "*shape"]) -> Tensor:
    """A scalar that is `value` and whose gradient in x is `slope`."""
    return value + ((x - x.detach()) * slope).sum()
