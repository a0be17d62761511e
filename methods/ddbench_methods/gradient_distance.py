"""Distances between real and synthetic gradients, class by class: the three of the DC family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Distance = Literal["ours", "mse", "cos"]
EPSILON = 1e-6
"""Added to the product of norms."""

Gradients = Sequence[Float[Tensor, "k *parameter"]]
"""Gradients of K classes, one tensor for each parameter tensor."""


def ours(real: Gradients, synthetic: Gradients) -> Float[Tensor, " k"]:
    """Σ over tensors, Σ over output rows i of 1 − ⟨r_i, s_i⟩ / (‖r_i‖‖s_i‖ + 1e-6).

    A row is a slice along the first axis, flattened: `out` rows of a linear or convolution weight, C rows of a layer
    norm's (C, h, w). Biases and other one-dimensional tensors count nothing.
    """
    return torch.stack(
        [_angle(r.flatten(2), s.flatten(2)).sum(1) for r, s in zip(real, synthetic) if has_rows(r[0])]
    ).sum(0)


def mse(real: Gradients, synthetic: Gradients) -> Float[Tensor, " k"]:
    """Σ over all entries of all tensors, biases included, of (r − s)²: a sum, in spite of its name."""
    return torch.stack([(r - s).flatten(1).square().sum(1) for r, s in zip(real, synthetic)]).sum(0)


def cos(real: Gradients, synthetic: Gradients) -> Float[Tensor, " k"]:
    """1 − cosine of the whole gradients, biases included, with the same 1e-6."""
    return _angle(*(torch.cat([g.flatten(1) for g in side], 1) for side in (real, synthetic)))


def has_rows(parameter: Tensor) -> bool:
    """Whether the row rule of `ours` counts a parameter tensor."""
    return parameter.dim() > 1


def _angle(r: Float[Tensor, "... d"], s: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
    # The gradient of vector_norm at 0 is 0: rows of units that are never active must not turn it into NaN.
    norms = torch.linalg.vector_norm(r, dim=-1) * torch.linalg.vector_norm(s, dim=-1)
    return 1 - (r * s).sum(-1) / (norms + EPSILON)


DISTANCES: dict[str, Callable[[Gradients, Gradients], Float[Tensor, " k"]]] = {"ours": ours, "mse": mse, "cos": cos}
