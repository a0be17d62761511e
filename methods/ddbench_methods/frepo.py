"""FRePo: items on which ridge regression, on features of networks that learn from the items, predicts real labels."""

from __future__ import annotations

from math import log
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from ddbench.interfaces.codec import Tensors
from ddbench.interfaces.method import Matcher, MatcherConfig, MatchTask
from ddbench.interfaces.room import Room
from ddbench.leaf import Leaf
from ddbench_methods.frepo_pool import Pool
from ddbench_methods.frepo_regression import items_loss

LABELS = "label_logits"


class FrepoConfig(MatcherConfig):
    """Arguments of FRePo. The paper's steps are LAMB's at 3e-4; here they are Adam's."""

    iterations: int = Field(10_000, ge=0, description="Updates of the codes.")
    lr: float = Field(0.003, gt=0, description="Learning rate of the codes, times the root of each leaf's lr_scale.")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="Rule by which codes and labels move.")
    real_batch: int = Field(100, gt=0, description="Real items of each class an update (published: 1024 in all).")
    pool: int = Field(10, gt=0, description="Networks that learn from the items side by side; an update takes one.")
    net_steps: int = Field(100, gt=0, description="Most updates of a network before a fresh one takes its place.")
    steps_an_update: int = Field(1, gt=0, description="Updates of a network each time that it is taken.")
    net_batch: int = Field(256, gt=0, description="Items that a network sees at once.")
    lr_net: float = Field(0.01, gt=0, description="Learning rate of the networks (SGD).")
    momentum_net: float = Field(0.9, ge=0, lt=1, description="Momentum of the networks' SGD.")
    ridge: float = Field(1e-6, gt=0, description="λ: the ridge is λ·tr(K)/M, K the kernel of the M items.")
    soft_labels: bool = Field(True, description="Learn a label for each item: K logits, stored and charged.")
    lr_label: float = Field(0.003, gt=0, description="Learning rate of the soft labels' logits.")
    label_start: float = Field(0.9, gt=0, lt=1, description="Share of its class in an item's first soft label.")
    augment: bool = Field(True, description="Networks and features see the items augmented, one by one.")


class Frepo(Matcher):
    """L = ½ mean ‖y_t − F_t F_sᵀ (F_s F_sᵀ + λ' I)⁻¹ y_s‖², F the features of a network θ, y centred labels.

    θ is one of a pool of networks, each trained on the items as they stand for a random number of updates up to
    `net_steps`, then drawn anew. No gradient goes through that training: features are what the items and their labels
    are learned through. y_s are one-hot labels, or the softmax of the learned logits, both less 1/K.

    It differs from the paper in what is the framework's: networks have the match network's norm and width, learn by SGD
    on cross-entropy as students do, and see augmented items.
    Source: arXiv 2206.00719, eq. 4-6 and algorithm 1.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "arXiv 2206.00719, eq. 4-6 and algorithm 1"
    Config = FrepoConfig

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        if not self.config.soft_labels:
            return ()
        return (Leaf(LABELS, "item", (n_classes,), lr_scale=self.config.lr_label / self.config.lr, side=True),)

    def initial_extra(self, items: int, n_classes: int) -> Tensors:
        if not self.config.soft_labels:
            return {}
        share, n = self.config.label_start, items // n_classes
        own = log(share * (n_classes - 1) / (1 - share))
        return {LABELS: own * one_hot(torch.arange(n_classes).repeat_interleave(n), n_classes).float()}

    @property
    def label_leaf(self) -> str | None:
        return LABELS if self.config.soft_labels else None

    def passes(self, room: Room) -> float:
        """Real values forwards, items twice forwards and once back, and the network's training on a batch of them."""
        config, real = self.config, room.n_classes * min(self.config.real_batch, room.smallest_class)
        trained = 3 * config.steps_an_update * min(config.net_batch, room.all_values)
        return config.iterations * (real + 4 * room.all_values + trained)

    def labels(self, task: MatchTask, values: int) -> Float[Tensor, "m k"]:
        """What each value is told to be, as probabilities; those of one item share its label."""
        K = task.n_classes
        if self.config.soft_labels:
            z = task.extra(LABELS)
            return z.softmax(1).repeat_interleave(values // len(z), 0)
        return one_hot(torch.arange(K).repeat_interleave(values // K), K).float()

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        config = self.config
        real, by_class = task.real(config.real_batch), task.synthetic()
        x = by_class.flatten(0, 1)
        y = self.labels(task, len(x)).to(x)
        network = Pool(config, state).take(task)
        seen = next(task.augmentations(len(x)))(x) if config.augment else x
        return items_loss(network, real, seen, y, config.ridge)

    def after_update(self, task: MatchTask, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            x = task.synthetic().detach().flatten(0, 1)
            y = self.labels(task, len(x)).to(x)
        Pool(self.config, state).train(task, x, y)
