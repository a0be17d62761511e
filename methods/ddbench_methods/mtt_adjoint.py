"""Three ways to differentiate the matching loss through the student's N steps: adjoint, unroll, tesla.

θ̂₀ = θ*_t; θ̂_{i+1} = θ̂_i − α g_i with g_i = ∇_θ CE(A_i(x_i); θ̂_i); L = ‖θ̂_N − θ*_{t+M}‖² / D, D = ‖θ*_t − θ*_{t+M}‖².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from ddbench_methods.mtt_config import Differentiate
from ddbench_methods.mtt_steps import Step
from ddbench_methods.mtt_student import FlatNetwork

KEPT = 32
"""Weight vectors that the way back keeps, about. Of longer ways every second, third … is kept, and the rest worked out
again from the one before: memory does not grow with N, and at N = 50 half of the steps are taken twice."""


@dataclass(frozen=True)
class Trajectory:
    """Where the student starts, θ*_t, where it should arrive, θ*_{t+M}, and the steps in between."""

    student: FlatNetwork
    start: Float[Tensor, " p"]
    target: Float[Tensor, " p"]
    steps: list[Step]

    @property
    def scale(self) -> Float[Tensor, ""]:
        """D."""
        return (self.start - self.target).square().sum()


def matching_loss(
    path: Trajectory, x: Float[Tensor, "m *shape"], y: Tensor, alpha: Float[Tensor, ""], how: Differentiate
) -> Float[Tensor, ""]:
    """L, with gradient to the synthetic values x, the step size α and, where they are probabilities, the labels y.

    `unroll`: autograd through all steps; exact, its memory grows with N.
    `adjoint`: the same gradient, one step's graph at a time; at most about `KEPT` weight vectors are kept.
    `tesla`: λ stays what it is at θ̂_N, so that later weights' dependence on earlier values is dropped. The factor 2 of
    the squared norm is kept, which the released code of TESLA loses on the images (protocols.md §1.4): a published
    lr_img stands for half that rate here.
    Source: arXiv 2203.11932, eq. 3; arXiv 2211.10586, eq. 6-7.
    """
    if how == "unroll":
        return _unroll(path, x, y, alpha)
    found = _Backwards.apply(alpha, x, y, path, how == "adjoint")
    assert isinstance(found, Tensor)
    return found


def _unroll(path: Trajectory, x: Tensor, y: Tensor, alpha: Tensor) -> Tensor:
    theta = path.start.detach().requires_grad_()
    for step in path.steps:
        ce = step.loss(path.student, theta, x[step.rows], y[step.rows])
        (g,) = torch.autograd.grad(ce, theta, create_graph=True)
        theta = theta - alpha * g
    return (theta - path.target).square().sum() / path.scale


def _after(path: Trajectory, step: Step, theta: Tensor, x: Tensor, y: Tensor, alpha: Tensor) -> Tensor:
    """θ̂ − α g of one step, without a graph; computed again it is the same."""
    with torch.enable_grad():
        theta = theta.detach().requires_grad_()
        ce = step.loss(path.student, theta, x[step.rows], y[step.rows])
    (g,) = torch.autograd.grad(ce, theta)
    return theta.detach() - alpha * g


class _Backwards(torch.autograd.Function):
    """The student's way without a graph; backwards, λ = dL/dθ̂ is carried from step to step.

    For i = N−1 … 0: dL/dx_i = −α ∂⟨λ, g_i⟩/∂x_i, dL/dα −= ⟨λ, g_i⟩, then λ ← λ − α H_i λ (where `exact`).
    """

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, x: Tensor, y: Tensor, path: Trajectory, exact: bool) -> Tensor:
        theta, apart = path.start.detach(), 1 + len(path.steps) // KEPT
        # One piece of memory: vectors kept one by one between the steps' buffers would break up the heap.
        ctx.trail = theta.new_empty(-(-len(path.steps) // apart), len(theta))
        for i, step in enumerate(path.steps):
            if i % apart == 0:
                ctx.trail[i // apart] = theta
            theta = _after(path, step, theta, x, y, alpha)
        ctx.save_for_backward(alpha, x, y)
        ctx.path, ctx.exact, ctx.apart, ctx.last = path, exact, apart, theta
        return (theta - path.target).square().sum() / path.scale

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  (the decorator hides the names)
        ctx: Any, *upstream: Tensor
    ) -> tuple[Tensor | None, ...]:
        alpha, x, y = ctx.saved_tensors
        path, between = ctx.path, []
        soft = ctx.needs_input_grad[2]
        adjoint = upstream[0] * 2 * (ctx.last - path.target) / path.scale
        along, d_x, d_y = torch.zeros_like(alpha), torch.zeros_like(x), torch.zeros_like(y) if soft else None
        for i in reversed(range(len(path.steps))):
            step = path.steps[i]
            if not between:
                between = [ctx.trail[i // ctx.apart]]
                for earlier in path.steps[i // ctx.apart * ctx.apart : i]:
                    between.append(_after(path, earlier, between[-1], x, y, alpha))
            with torch.enable_grad():
                theta = between.pop().detach().requires_grad_()
                x_i = x[step.rows].detach().requires_grad_()
                y_i = y[step.rows].detach().requires_grad_(soft)
                ce = step.loss(path.student, theta, x_i, y_i)
                (g,) = torch.autograd.grad(ce, theta, create_graph=True)
                product = adjoint @ g
            # At the first step λ is needed no more.
            carry = ctx.exact and i > 0
            wanted = [x_i, *([y_i] if soft else []), *([theta] if carry else [])]
            found = list(torch.autograd.grad(product, wanted))
            along -= product.detach()
            d_x.index_add_(0, step.rows, found[0], alpha=-1)
            if d_y is not None:
                d_y.index_add_(0, step.rows, found[1], alpha=-1)
            if carry:
                adjoint = adjoint - alpha * found[-1]
        return along, d_x.mul_(alpha), None if d_y is None else d_y.mul_(alpha), None, None
