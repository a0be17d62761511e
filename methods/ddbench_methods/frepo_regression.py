"""Kernel ridge regression from items to real ones on a network's features, differentiable in items and labels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from ddbench.interfaces.network import Classifier, has_batch_norm
from ddbench.interfaces.parts import GRAPH, part_of
from ddbench_methods.gradient_matching import with_slope


def items_loss(
    network: Classifier,
    real: Float[Tensor, "k b *shape"],
    x: Float[Tensor, "m *shape"],
    y: Float[Tensor, "m k"],
    ridge: float,
) -> Float[Tensor, ""]:
    """The regression's loss on the real values, differentiable in the items x and their labels y.

    Features of items are computed twice, so that only one chunk's graph is held at a time.
    """
    network.train().requires_grad_(False)
    size = part_of(x.device, x.shape[1:], GRAPH)
    whole = has_batch_norm(network)
    K = len(real)
    with torch.no_grad():
        f_r = embed(network, real.flatten(0, 1), size)
        f_s = embed(network, x.detach(), size)
    target = one_hot(torch.arange(K, device=x.device).repeat_interleave(real.shape[1]), K).to(f_r) - 1 / K
    f_s.requires_grad_()
    told = y.detach().requires_grad_()
    loss = regression_loss(f_s, told - 1 / K, f_r, target, ridge)
    slope_f, slope_y = torch.autograd.grad(loss, (f_s, told))
    slopes = []
    for part, of_part in zip(*((t,) if whole else t.split(size) for t in (x.detach(), slope_f)), strict=True):
        part = part.clone().requires_grad_()
        slopes.append(torch.autograd.grad(network.embed(part).flatten(1), part, of_part)[0])
    return with_slope(with_slope(loss.detach(), x, torch.cat(slopes)), y, slope_y)


def embed(network: Classifier, x: Float[Tensor, "b *shape"], size: int) -> Float[Tensor, "b d"]:
    parts = (x,) if has_batch_norm(network) else x.split(size)
    return torch.cat([network.embed(part).flatten(1) for part in parts])


def regression_loss(
    f_s: Float[Tensor, "m d"],
    y_s: Float[Tensor, "m k"],
    f_r: Float[Tensor, "b d"],
    y_r: Float[Tensor, "b k"],
    ridge: float,
) -> Float[Tensor, ""]:
    """½ mean over real values of ‖y_r − F_r F_sᵀ (F_s F_sᵀ + λ' I)⁻¹ y_s‖², λ' = λ·tr(F_s F_sᵀ)/M.

    Kernel and solution are float64: with λ = 1e-6 float32 has no digit left for the smallest eigenvalues, and a kernel
    summed in float32 need not be positive definite any more.
    Source: arXiv 2206.00719, eq. 5.
    """
    exact = f_s.double()
    kernel = exact @ exact.T
    eye = torch.eye(len(kernel), dtype=kernel.dtype, device=kernel.device)
    factor = torch.linalg.cholesky(kernel + ridge * kernel.trace() / len(kernel) * eye)
    weights = (exact.T @ torch.cholesky_solve(y_s.double(), factor)).to(f_r)
    return 0.5 * (y_r - f_r @ weights).square().sum(1).mean()
