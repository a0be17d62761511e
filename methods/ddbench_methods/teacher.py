"""A teacher: a network trained on the real data of the match space, and what it says of every training item."""

from __future__ import annotations

from math import cos, pi
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from ddbench.errors import Divergence
from ddbench.interfaces.method import PrepareTask
from ddbench.interfaces.network import Classifier
from ddbench.interfaces.parts import in_parts, part_in_training, values_at_once
from ddbench.interfaces.plugin import PluginConfig

TRAINING = "1"
"""Changes whenever the same arguments would give another teacher."""
REPORT_EVERY = 16
"""Updates between two reports."""
ANSWERS = 512
"""Items of 32 × 32 that a teacher is asked about at once."""


class TeacherConfig(PluginConfig):
    """Arguments of a method that has a teacher."""

    epochs: int = Field(12, ge=1, description="Passes of the teacher over the training set.")
    batch: int = Field(128, ge=1, description="Items of an update of the teacher.")
    lr: float = Field(0.03, gt=0, description="Learning rate at first; it falls to 0 along half a cosine.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of the teacher's SGD.")
    weight_decay: float = Field(5e-4, ge=0, description="Weight decay of the teacher's SGD.")
    teacher_seed: int = Field(0, ge=0, description="Seed of the teacher; the cell's seed has no part in it.")


def teacher_entry(config: TeacherConfig) -> dict[str, Any]:
    """What determines the teacher besides the match space."""
    return {"training": TRAINING, **{name: getattr(config, name) for name in TeacherConfig.model_fields}}


def teacher_logits(task: PrepareTask, config: TeacherConfig) -> Float[Tensor, "n k"]:
    """The teacher's logits of every training item as it stands, without augmentation; on the CPU, in float32.

    Raises: Divergence where they are not finite.
    """
    entry = [teacher_entry(config)]
    ((_, found),) = task.kept("teacher", entry, lambda _: [{"logits": _answers(task, _trained(task, config))}])
    logits = found["logits"]
    if not bool(logits.isfinite().all()):
        raise Divergence(f"The teacher's logits are not finite. Lower its lr, which is {config.lr}.")
    return logits


def _trained(task: PrepareTask, config: TeacherConfig) -> Classifier:
    """SGD with momentum on the mean cross-entropy; each epoch in a new order, its last batch as small as it comes."""
    network = task.network(task.seed("teacher-weights", seed=config.teacher_seed)).train().requires_grad_()
    order = Generator().manual_seed(task.seed("teacher-order", seed=config.teacher_seed))
    draws = Generator().manual_seed(task.seed("teacher-augment", seed=config.teacher_seed))
    n, batch = len(task.labels), min(config.batch, len(task.labels))
    augmentations = task.augmentations(batch, draws)
    descent = torch.optim.SGD(
        network.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    total, step = config.epochs * -(-n // batch), 0
    for _ in range(config.epochs):
        for rows in torch.randperm(n, generator=order).split(batch):
            descent.param_groups[0]["lr"] = config.lr * (1 + cos(pi * step / total)) / 2
            index = rows.to(task.device)
            seen, y = next(augmentations)(task.real(index)), task.labels[index]
            size = part_in_training(network, task.shape, len(index))
            descent.zero_grad()
            for part, of_part, share in in_parts(seen, y, size):
                (cross_entropy(network(part), of_part) * share).backward()
            descent.step()
            step += 1
            if step % REPORT_EVERY == 0:
                task.progress(step / total)
    return network


@torch.no_grad()
def _answers(task: PrepareTask, network: Classifier) -> Float[Tensor, "n k"]:
    network.eval()
    index = torch.arange(len(task.labels), device=task.device)
    return torch.cat(
        [network(task.real(part)).float().cpu() for part in index.split(values_at_once(task.shape, ANSWERS))]
    )
