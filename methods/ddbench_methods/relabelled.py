"""Random real items with a teacher's labels: what soft labels alone are worth, their bytes counted."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int, UInt8
from pydantic import Field
from torch import Tensor

from ddbench.coding.context_coder import ContextCoder
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codes, Tensors
from ddbench.interfaces.method import PrepareTask, Selector, SelectTask
from ddbench.interfaces.room import Room
from ddbench.leaf import Leaf
from ddbench_methods.teacher import TeacherConfig, teacher_entry, teacher_logits

LABELS = "mixed_labels"
MOST_CLASSES = 256


class RelabelledConfig(TeacherConfig):
    """Arguments of `relabelled`."""

    levels: int = Field(
        8, ge=1, le=255, description="L: a label is its class and one other, the other's share a whole number of L-ths."
    )


class Relabelled(Selector):
    """The items of `random`, each with a soft label: its class and the likeliest other class in a teacher's eyes.

    `label = (1 − w/L)·class + (w/L)·other`, w/L the other's share of the two in the teacher's probabilities, rounded.
    (w, other) are written together for all items, in as many bits as they surprise (`ddbench.coding.context`), about
    two an item for ten classes. Where an item stores several values, the teacher's probabilities are averaged.

    Students of the protocol's `hard` labels see the items of `random`, as many as still fit. The teacher is the match
    network, trained on the training set; it is neither stored nor needed to read the set.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = (
        "protocols.md, faults, 12 (random real images with a teacher's labels, as SRe2L, arXiv 2306.13092, has them "
        "for its own); labels of two classes and their coding are ddbench's"
    )
    Config = RelabelledConfig
    config: RelabelledConfig

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        """(w, other) of each item. Raises: SpecError for more classes than a byte tells apart."""
        if n_classes > MOST_CLASSES:
            raise SpecError(
                f"The method 'relabelled' names the other class in a byte, so it takes {MOST_CLASSES} classes at most; "
                f"there are {n_classes}."
            )
        symbols = max(n_classes, self.config.levels + 1)
        coder = ContextCoder((2, 1), symbols, n_classes)
        return (Leaf(LABELS, "item", (2,), dtype="uint8", learned=False, side=True, coder=coder),)

    @property
    def stores_labels(self) -> bool:
        return True

    def own_labels(self, codes: Codes, y: Int[Tensor, " m"], n_classes: int) -> Float[Tensor, "m k"]:
        stored = codes[LABELS]
        assert isinstance(stored, Tensor), "labels are a leaf of fixed shape"
        weight, other = (stored[:, :1].float() / self.config.levels).clamp(max=1), stored[:, 1:].long()
        labels = torch.zeros(len(y), n_classes).scatter_(1, y[:, None], 1 - weight)
        return labels.scatter_add_(1, other.clamp(max=n_classes - 1), weight)

    def entries(self, room: Room) -> list[tuple[dict[str, Any], int]]:
        return [(teacher_entry(self.config), room.train_size * room.n_classes * 4)]

    def prepare_passes(self, room: Room) -> float:
        return (3 * self.config.epochs + 1) * room.train_size

    def prepare(self, task: PrepareTask) -> Tensors:
        return {"probabilities": teacher_logits(task, self.config).softmax(1)}

    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        return task.draw(n)

    def extra(self, prepared: Tensors, index: Int[Tensor, "m s"], y: Int[Tensor, " m"]) -> Tensors:
        return {LABELS: mixed(prepared["probabilities"][index].mean(1), y, self.config.levels)}


def mixed(p: Float[Tensor, "m k"], y: Int[Tensor, " m"], levels: int) -> UInt8[Tensor, "m 2"]:
    """(w, other) of probabilities: the likeliest class but `y`, and its share of the two in whole `levels`-ths.

    Where the share rounds to nothing the other class is `y`, which costs the fewest bits.
    """
    own = p.gather(1, y[:, None])
    share, other = p.scatter(1, y[:, None], -1.0).max(1, keepdim=True)
    weight = (levels * share / (own + share)).round().clamp(min=0)
    return torch.cat([weight.long(), torch.where(weight > 0, other, y[:, None])], 1).to(torch.uint8)
