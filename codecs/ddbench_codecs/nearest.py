"""The code whose decoded signal is nearest to a given one, where decoding is nearly linear."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench_codecs.blocks import in_blocks

BLOCK = 64

STEP = 1e-4
"""Of the central differences, in float64; codes are scaled so that a step of 1 moves the signal by up to 1."""
DAMPING = 1e-3


def slope(decode: Callable[[Tensor], Tensor], shape: tuple[int, ...], like: Tensor) -> Float[Tensor, "n d"]:
    """Jᵀ of `decode` at 0, in float64, by central differences; rows are the code's n values."""
    n = torch.Size(shape).numel()
    steps = STEP * torch.eye(n, dtype=torch.float64, device=like.device).reshape(n, *shape)
    return ((decode(steps) - decode(-steps)) / (2 * STEP)).flatten(1)


class Nearest:
    """Solves min ‖decode(z) − x‖² for each item by itself.

    It starts from least squares with the decoder replaced by its tangent at 0, and goes on as Gauss–Newton with the
    tangent's curvature: z ← z − t (J₀J₀ᵀ + εI)⁻¹ Jᵀ(decode(z) − x). A step that does not bring an item closer is taken
    back, and its t halved. All is done in float64: in float32 rounding decides which steps are taken back, and the code
    of an item would depend on where it stands.
    """

    def __init__(self, decode: Callable[[Tensor], Tensor], shape: tuple[int, ...], like: Tensor, steps: int) -> None:
        """`decode` takes and gives float64, on the device of `like`."""
        self.decode, self.shape, self.steps = decode, shape, steps
        self._slope = slope(decode, shape, like)
        curvature = self._slope @ self._slope.T
        least = DAMPING * torch.linalg.eigvalsh(curvature)[-1]
        self._inverse = torch.linalg.inv(curvature + least * torch.eye(len(curvature)).to(curvature))

    def __call__(self, x: Float[Tensor, "m *signal"]) -> Float[Tensor, "m *code"]:
        return in_blocks(self._solve, x.double(), BLOCK).to(x)

    def _solve(self, x: Tensor) -> Tensor:
        zero = x.new_zeros(len(x), *self.shape)
        with torch.no_grad():
            gap = (x - self.decode(zero)).flatten(1)
            z = (gap @ self._slope.T @ self._inverse).reshape(zero.shape)
        t = x.new_ones(len(x))
        error, gradient = self._error(z, x)
        for _ in range(self.steps):
            tried = z - (t[:, None] * (gradient.flatten(1) @ self._inverse)).reshape(z.shape)
            new_error, new_gradient = self._error(tried, x)
            better = new_error < error
            pick = better.reshape(-1, *(1,) * len(self.shape))
            z, gradient = torch.where(pick, tried, z), torch.where(pick, new_gradient, gradient)
            error = torch.where(better, new_error, error)
            t = torch.where(better, (1.5 * t).clamp(max=1), t / 2)
        return z

    def _error(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """(half the squared error [m], its gradient in z)."""
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            half = (self.decode(leaf) - x).flatten(1).square().sum(1) / 2
            (gradient,) = torch.autograd.grad(half.sum(), leaf)
        return half.detach(), gradient
