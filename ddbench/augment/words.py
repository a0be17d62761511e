"""The operation family of texts: words left out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.augment.series import hashed

SPACE = 32
MOST = 0.3

Batch = Float[Tensor, "r n 1 t"]
Uniform = Float[Tensor, "r 3"]


def worddrop(x: Batch, u: Uniform) -> Batch:
    """Each word's bytes turned into spaces with a probability that is uniform over 0 … 0.3.

    Source: Wei & Zou 2019 (EDA, arXiv 1901.11196), 'random deletion', here without closing the gap.
    """
    symbols = x.round()
    space = symbols == SPACE
    before = torch.nn.functional.pad(space[..., :-1], (1, 0), value=True)
    word = (before & ~space).cumsum(-1)
    keys = hashed(u, x.shape[-1] + 1).to(x)[:, None, None].expand(*x.shape[:3], -1)
    dropped = keys.gather(-1, word) < MOST * u[:, 2].to(x).reshape(-1, 1, 1, 1)
    return torch.where(dropped & ~space & (symbols != 0), torch.full_like(x, SPACE), x)
