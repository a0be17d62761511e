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
from ddbench_methods.mtt_student import FlatNetwork, noise

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
    theta, g = theta.detach().requires_grad_(), torch.zeros_like(theta)
    with noise(step.seed, x.device):
        for seen, told, share in step.parts(path.student, step.augment(x[step.rows]), y[step.rows]):
            with torch.enable_grad():
                ce = path.student.loss(theta, seen, told) * share
            g += torch.autograd.grad(ce, theta)[0]
    return theta.detach() - alpha * g


@dataclass(frozen=True)
class _Slopes:
    """⟨λ, g_i⟩ of one step, and its slopes in the step's values, in its labels and in θ̂_i, which is H_i λ."""

    product: Float[Tensor, ""]
    x: Float[Tensor, "b *shape"]
    y: Tensor | None
    theta: Float[Tensor, " p"] | None


def _slopes(
    path: Trajectory, step: Step, theta: Tensor, x: Tensor, y: Tensor, adjoint: Tensor, soft: bool, carry: bool
) -> _Slopes:
    """Part by part of the step's values, for g_i is a sum over them: one part's graph is held at a time."""
    theta, product, hessian = theta.detach().requires_grad_(), theta.new_zeros(()), None
    of_seen, of_y = [], []
    with noise(step.seed, x.device):
        x_i = x[step.rows].detach().requires_grad_()
        with torch.enable_grad():
            seen = step.augment(x_i)
        for part, told, share in step.parts(path.student, seen.detach(), y[step.rows].detach()):
            with torch.enable_grad():
                part.requires_grad_()
                told.requires_grad_(soft)
                ce = path.student.loss(theta, part, told) * share
                (g,) = torch.autograd.grad(ce, theta, create_graph=True)
                along = adjoint @ g
            wanted = [part, *([told] if soft else []), *([theta] if carry else [])]
            found = list(torch.autograd.grad(along, wanted))
            product += along.detach()
            of_seen.append(found[0])
            of_y += found[1:2] if soft else []
            if carry:
                hessian = found[-1] if hessian is None else hessian.add_(found[-1])
    (of_x,) = torch.autograd.grad(seen, x_i, torch.cat(of_seen))
    return _Slopes(product, of_x, torch.cat(of_y) if soft else None, hessian)


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
            # At the first step λ is needed no more.
            slopes = _slopes(path, step, between.pop(), x, y, adjoint, soft, carry=ctx.exact and i > 0)
            along -= slopes.product
            d_x.index_add_(0, step.rows, slopes.x, alpha=-1)
            if d_y is not None:
                assert slopes.y is not None
                d_y.index_add_(0, step.rows, slopes.y, alpha=-1)
            if slopes.theta is not None:
                adjoint = adjoint - alpha * slopes.theta
        return along, d_x.mul_(alpha), None if d_y is None else d_y.mul_(alpha), None, None
