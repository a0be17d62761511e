"""The code whose decoded signal is nearest to a given one, where decoding is nearly linear."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench import rng
from ddbench_codecs.blocks import in_blocks

BLOCK = 64

STEP = 1e-4
"""Of the central differences, in float64; codes are scaled so that a step of 1 moves a signal by up to about 1."""
RIDGE = 1.0
"""Of the regression, in mean variances of a signal's values; 0.1 to 3, and dampings of 0.01 and 0.1, differed by an
eighth of the error at most, on 64 training images each of MNIST and Fashion-MNIST."""
DAMPING = 0.01
"""Of the curvature, in shares of its largest eigenvalue."""
DRAWS = 512
"""Random codes from which codes are guessed."""
SLOPES = 16
"""Random codes at which slopes are taken."""
SPREADS = tuple(2 ** (i / 2) for i in range(-20, 21))
"""Of random codes; the least by which they decode to signals as varied as normalised ones is taken."""


def slope(decode: Callable[[Tensor], Tensor], at: Float[Tensor, "*code"]) -> Float[Tensor, "n d"]:
    """Jᵀ of `decode` at a code, in float64, by central differences; rows are the code's n values."""
    n = at.numel()
    steps = STEP * torch.eye(n, dtype=torch.float64, device=at.device).reshape(n, *at.shape)
    return ((decode(at + steps) - decode(at - steps)) / (2 * STEP)).flatten(1)


def curvature(decode: Callable[[Tensor], Tensor], codes: Float[Tensor, "m *code"]) -> Float[Tensor, "n n"]:
    """JJᵀ, mean over codes: at one of them a decoder may be all but flat."""
    return torch.stack([j @ j.T for j in (slope(decode, at) for at in codes)]).mean(0)


class Nearest:
    """Solves min ‖decode(z) − x‖² for each item by itself.

    A decoder may be all but flat at the code zero, so its slopes are looked at where codes are: at random ones of a
    spread by which they decode to signals of variance 1, as normalised signals have. It starts from the better of the
    code zero and a guess, ridge regression of random codes on what they decode to, and goes on as Gauss–Newton with
    the mean curvature H of random codes: z ← z − t (H + εI)⁻¹ Jᵀ(decode(z) − x). A step that does not bring an item
    closer is taken back, and its t halved. All is done in float64: in float32 rounding decides which steps are taken
    back, and the code of an item would depend on where it stands.
    """

    def __init__(self, decode: Callable[[Tensor], Tensor], shape: tuple[int, ...], like: Tensor, steps: int) -> None:
        """`decode` takes and gives float64, on the device of `like`."""
        self.decode, self.shape, self.steps = decode, shape, steps
        stream = rng.generator("nearest", shape=shape)
        drawn = torch.randn(DRAWS, *shape, generator=stream, dtype=torch.float64).to(like.device)
        with torch.no_grad():
            z = self._spread(drawn) * drawn
            x = in_blocks(decode, z, BLOCK).flatten(1)
        self._mean = x.mean(0)
        x -= self._mean
        inner = x @ x.T
        inner.diagonal().add_(RIDGE * inner.trace() / x.shape[1])
        self._guess = x.T @ torch.linalg.solve(inner, z.flatten(1))
        h = curvature(decode, z[:SLOPES])
        h.diagonal().add_(DAMPING * torch.linalg.eigvalsh(h)[-1])
        self._inverse = torch.linalg.inv(h)

    def _spread(self, drawn: Float[Tensor, "m *code"]) -> float:
        """The least by which random codes decode to a mean square of 1 about what zero gives, or the largest."""
        few = drawn[:BLOCK]
        zero = self.decode(torch.zeros_like(few[:1]))
        for spread in SPREADS:
            if float((self.decode(spread * few) - zero).square().mean()) >= 1:
                return spread
        return SPREADS[-1]

    def __call__(self, x: Float[Tensor, "m *signal"]) -> Float[Tensor, "m *code"]:
        return in_blocks(self._solve, x.double(), BLOCK).to(x)

    def _solve(self, x: Tensor) -> Tensor:
        z = x.new_zeros(len(x), *self.shape)
        error, gradient = self._error(z, x)
        tried = ((x.flatten(1) - self._mean) @ self._guess).reshape(z.shape)
        t = x.new_ones(len(x))
        for _ in range(self.steps + 1):
            new_error, new_gradient = self._error(tried, x)
            better = new_error < error
            pick = better.reshape(-1, *(1,) * len(self.shape))
            z, gradient = torch.where(pick, tried, z), torch.where(pick, new_gradient, gradient)
            error = torch.where(better, new_error, error)
            t = torch.where(better, (1.5 * t).clamp(max=1), t / 2)
            tried = z - (t[:, None] * (gradient.flatten(1) @ self._inverse)).reshape(z.shape)
        return z

    def _error(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """(half the squared error [m], its gradient in z)."""
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            half = (self.decode(leaf) - x).flatten(1).square().sum(1) / 2
            (gradient,) = torch.autograd.grad(half.sum(), leaf)
        return half.detach(), gradient
