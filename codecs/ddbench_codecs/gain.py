"""How far a step on a code moves its signal: ‖JJᵀ‖ of a decoder, by power iteration."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

ROUNDS = 30


def largest_gain(decode: Callable[[Tensor], Tensor], at: Tensor) -> float:
    """‖JJᵀ‖ of `decode` at a code, to two digits, so that a learning rate made of it is the same on every machine.

    Jv is the gradient in u of (Jᵀu)·v. Products are written as sums: torch.func, and torch.autograd.grad where it is
    given a vector, would import torch's compiler or sympy, seconds in every process.
    """
    v = torch.randn(at.shape, generator=Generator().manual_seed(0), dtype=torch.float64).to(at.device)
    found = torch.zeros(())
    with torch.enable_grad():
        point = at.detach().double().requires_grad_()
        signal = decode(point)
        u = torch.zeros_like(signal, requires_grad=True)
        (back,) = torch.autograd.grad((signal * u).sum(), point, create_graph=True)
        for _ in range(ROUNDS):
            (moved,) = torch.autograd.grad((back * (v / v.norm())).sum(), u, retain_graph=True)
            found = moved.square().sum()
            (v,) = torch.autograd.grad((signal * moved).sum(), point, retain_graph=True)
    return float(f"{float(found):.2g}")
