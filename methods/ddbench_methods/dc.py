"""DC and DSA: items on which a network's gradients are those on real data, while the network trains on the items."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from ddbench.interfaces.method import Matcher, MatcherConfig, MatchTask, Start
from ddbench.interfaces.network import has_batch_norm
from ddbench.interfaces.parts import GRAPH, IN_CACHE, THROUGH_GRADIENT, values_at_once
from ddbench.interfaces.room import Room
from ddbench_methods.class_gradients import Batched
from ddbench_methods.gradient_distance import Distance
from ddbench_methods.gradient_matching import matching_loss
from ddbench_methods.net_training import train

LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
"""(outer, inner) by items a class, as published."""
BATCH_NORM_ITEMS = 16
"""Real items of each class from which batch norm takes its running statistics."""


class DcConfig(MatcherConfig):
    """Arguments of DC; the defaults are the published ones for 1 item a class."""

    iterations: int = Field(
        1000,
        ge=0,
        description="Updates of the codes: `outer` for each network. The published 1000 networks are 1000 updates at "
        "1 item a class, 10000 at 10 (outer 10), 50000 at 50 (outer 50).",
    )
    lr: float = Field(0.1, gt=0, description="Learning rate of the codes, times each leaf's own; 0.01 for an MLP.")
    real_batch: int = Field(256, gt=0, description="Real items of each class an update.")
    distance: Distance = Field("ours", description="ours (cosine of each output row), mse (sum of squares) or cos.")
    outer: int | None = Field(
        None,
        gt=0,
        description="Updates of the codes for each network. Default by values a class that the network sees, 1: 1, "
        "10: 10, 20: 20, 30: 30, 40: 40, 50: 50, as published; between them, unpublished, the row before.",
    )
    inner: int | None = Field(
        None,
        ge=0,
        description="Epochs that the network trains on the items after each update but its last. Default by the same "
        "rows, 1: 1, 10: 50, 20: 25, 30: 20, 40: 15, 50: 10.",
    )
    lr_net: float = Field(0.01, gt=0, description="Learning rate of the network: SGD without momentum and decay.")
    net_batch: int = Field(256, gt=0, description="Items a step of the network's training.")
    init: Start = Field("noise", description="First items: N(0, 1) noise in match space, or random real ones.")
    batched: Batched = Field(
        "auto",
        description="Classes differentiated together, in a loop, or as is faster on the device; the same result.",
    )


class Dc(Matcher):
    """L = Σ_c D(∇_θ CE(r_c), ∇_θ CE(s_c)), θ fresh every `outer` updates and trained on the items in between.

    Update `step` is the published iteration it = step // outer, o = step % outer. The network's weights are kept in
    `state`. Batch norm: one pass of 16 real items a class in training mode before each update, then frozen.
    Source: arXiv 2006.05929, eq. 7-9 and algorithm 1.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "arXiv 2006.05929, eq. 7-9 and algorithm 1"
    Config = DcConfig
    augmented: ClassVar[bool] = False

    def start(self) -> Start:
        return self.config.init

    def loops(self, n: int) -> tuple[int, int]:
        """(outer, inner) for n values a class in match space."""
        outer, inner = LOOPS[max(row for row in LOOPS if row <= n)]
        config = self.config
        return config.outer or outer, inner if config.inner is None else config.inner

    def passes(self, room: Room) -> float:
        """Gradients of real values, gradients through those of the items, and the epochs of the network in between."""
        outer, inner = self.loops(room.values)
        real = room.n_classes * min(self.config.real_batch, room.smallest_class)
        trained = 3 * room.all_values * inner * (outer - 1) / outer
        return self.config.iterations * (3 * real + 7 * room.all_values + trained)

    def values_at_once(self, room: Room) -> int:
        real = min(IN_CACHE, self.config.real_batch, room.smallest_class, values_at_once(room.shape))
        return max(real, THROUGH_GRADIENT * min(room.values, values_at_once(room.shape, GRAPH)))

    def real_at_once(self, room: Room) -> int:
        return room.n_classes * min(self.config.real_batch, room.smallest_class)

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        real, synthetic = task.real(self.config.real_batch), task.synthetic()
        outer, _ = self.loops(synthetic.shape[1])
        network = task.network()
        if task.step % outer:
            network.load_state_dict(state)
        if has_batch_norm(network):
            with torch.no_grad():
                network.train()(task.real(BATCH_NORM_ITEMS).flatten(0, 1))
        state.update(network.state_dict())
        if self.augmented:
            real, synthetic = task.augment(real, synthetic)
        return matching_loss(network, real, synthetic, self.config.distance, self.config.batched)

    def after_update(self, task: MatchTask, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            items = task.synthetic().detach()
        outer, inner = self.loops(items.shape[1])
        if task.step % outer == outer - 1:
            state.clear()
            return
        network = task.network()
        network.load_state_dict(state)
        y = torch.arange(len(items), device=items.device).repeat_interleave(items.shape[1])
        train(
            network, items.flatten(0, 1), y, inner, self.config.net_batch, self.config.lr_net,
            task.generator("inner-order"), self.augmentation(task),
        )  # fmt: skip
        state.update(network.state_dict())

    def augmentation(self, task: MatchTask) -> Callable[[Tensor], Tensor]:
        """What the network's training does to a batch: for DSA one operation a batch, one draw an item."""
        if not self.augmented:
            return lambda x: x
        draws = task.augmentations(self.config.net_batch)
        return lambda x: next(draws)(x)


class DsaConfig(DcConfig):
    """Arguments of DSA: DC's, with real first items."""

    init: Start = Field("real", description="First items: random real ones, or N(0, 1) noise in match space.")


class Dsa(Dc):
    """DC on augmented batches: L = Σ_c D(∇_θ CE(A_ω(r_c)), ∇_θ CE(A_ω(s_c))), ω shared by both batches of a class.

    The network in between trains on items augmented one by one with the same strategy.
    Source: arXiv 2102.08259, eq. 4.
    """

    source: ClassVar[str] = "arXiv 2102.08259, eq. 4, on arXiv 2006.05929"
    Config = DsaConfig
    augmented: ClassVar[bool] = True
