"""DM, DC and MTT in the shape of the published loops (protocols.md §1.1-1.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from plain.net import ConvNet, each, siamese


def dm_loss(net: ConvNet, real: Sequence[Tensor], items: Tensor, strategy: str, seed: int) -> Tensor:
    """Σ_c ‖mean ψ(real) − mean ψ(items)‖², one class after another. `items` stand class by class."""
    for p in net.parameters():
        p.requires_grad = False
    n = len(items) // len(real)
    loss = torch.zeros((), dtype=items.dtype, device=items.device)
    for c, of_class in enumerate(real):
        mine = items[c * n : (c + 1) * n]
        if strategy:
            of_class, mine = siamese(strategy, seed + c, of_class, mine)
        target, found = net.embed(of_class).detach(), net.embed(mine)
        loss = loss + torch.sum((target.mean(0) - found.mean(0)) ** 2)
    return loss


def dc_loss(net: ConvNet, real: Sequence[Tensor], items: Tensor, strategy: str, seed: int) -> Tensor:
    """Σ_c D(∇CE(real), ∇CE(items)), one class after another, whole batches, all graphs kept to the end."""
    weights = list(net.parameters())
    n = len(items) // len(real)
    loss = torch.zeros((), dtype=items.dtype, device=items.device)
    for c, of_class in enumerate(real):
        mine = items[c * n : (c + 1) * n]
        if strategy:
            of_class, mine = siamese(strategy, seed + c, of_class, mine)
        label = torch.full((len(of_class),), c, device=items.device)
        target = [g.detach().clone() for g in torch.autograd.grad(cross_entropy(net(of_class), label), weights)]
        found = torch.autograd.grad(cross_entropy(net(mine), label[:1].expand(n)), weights, create_graph=True)
        loss = loss + sum(rows_apart(a, b) for a, b in zip(target, found))
    return loss


def rows_apart(a: Tensor, b: Tensor) -> Tensor:
    """Σ over output rows of 1 − cosine; biases and norms' weights count nothing."""
    if a.dim() < 2:
        return a.new_zeros(())
    a, b = a.flatten(1), b.flatten(1)
    return torch.sum(1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6))


def mtt_loss(
    net: nn.Module, start: Tensor, target: Tensor, items: Tensor, labels: Tensor, alpha: Tensor, steps: int,
    strategy: str, seed: int,
) -> Tensor:  # fmt: skip
    """‖θ_N − θ*_{t+M}‖² / ‖θ*_t − θ*_{t+M}‖², all items a step, differentiated through all steps at once."""
    shapes = {name: p.shape for name, p in net.named_parameters()}
    draws = Generator().manual_seed(seed)
    theta = start.clone().requires_grad_()
    for _ in range(steps):
        order = torch.randperm(len(items), generator=draws).to(items.device)
        x, y = items[order], labels[order]
        if strategy:
            x = each(strategy, draws, x)
        parts = theta.split([shape.numel() for shape in shapes.values()])
        named = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts)}
        loss = cross_entropy(torch.func.functional_call(net, named, (x,)), y)
        (g,) = torch.autograd.grad(loss, theta, create_graph=True)
        theta = theta - alpha * g
    return torch.sum((theta - target) ** 2) / torch.sum((start - target) ** 2)
