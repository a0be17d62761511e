"""Labels by experts: what they say of values, and the mean of those that are right."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.interfaces.parts import part_in_training
from ddbench_methods.mtt_student import FlatNetwork, noise

BATCH = 256
_SEED = 0


@torch.no_grad()
def expert_logits(
    student: FlatNetwork, weights: Float[Tensor, "e p"], x: Float[Tensor, "b *shape"]
) -> Float[Tensor, "e b k"]:
    """Logits of each expert for each value, without augmentation; networks are in the mode in which they are matched.

    Experts keep no running statistics, so batch normalisation takes those of a batch of `x`.
    """
    size, found = part_in_training(student.model, x.shape[1:], BATCH), []
    for theta in weights:
        with noise(_SEED, x.device):
            found.append(torch.cat([student(theta.to(x), part) for part in x.split(size)]))
    return torch.stack(found)


def mean_of_correct(logits: Float[Tensor, "e b k"], y: Int[Tensor, " b"]) -> Float[Tensor, "b k"]:
    """Mean logits of each value over the experts whose largest is that of its class.

    Where no expert is right it is the mean over all of them, with the class's logit and the largest exchanged: a label
    that says another class would teach that one. Source: arXiv 2310.05773, which leaves that case out.
    """
    right = logits.argmax(2) == y
    none = ~right.any(0)
    share = (right | none).to(logits.dtype)
    mean = (logits * share[..., None]).sum(0) / share.sum(0)[:, None]
    rows, top = torch.arange(len(y), device=y.device), mean.argmax(1)
    exchanged = mean.clone()
    exchanged[rows, y], exchanged[rows, top] = mean[rows, top], mean[rows, y]
    return torch.where(none[:, None], exchanged, mean)
