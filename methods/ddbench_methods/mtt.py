"""MTT: items on which a student takes the way that experts took on the real data."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codes, Tensors
from ddbench.interfaces.method import Matcher, MatchTask, PrepareTask
from ddbench.interfaces.parts import GRAPH, THROUGH_GRADIENT, values_at_once
from ddbench.interfaces.room import Room
from ddbench.leaf import Leaf
from ddbench_methods.mtt_adjoint import Trajectory, matching_loss
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_experts import expert_entries, expert_weights
from ddbench_methods.mtt_labels import expert_logits, mean_of_correct
from ddbench_methods.mtt_steps import draw_steps
from ddbench_methods.mtt_student import FlatNetwork

STEP_SIZE, LABELS = "step_size", "label_logits"


class TrajectoryMatching(Matcher):
    """L = ‖θ̂_N − θ*_{t+M}‖² / ‖θ*_t − θ*_{t+M}‖², θ̂_N after N SGD steps of size α on the items from θ*_t.

    α is learned beside the items, stored, charged, and the rate at which students of the match network are trained.
    Items are augmented one by one (not Siamese: there is no real batch). With `soft_labels` each item brings K logits z
    that are learned beside it; the student's loss is then −softmax(z) · log softmax(network).
    Source: arXiv 2203.11932, eq. 3 and algorithm 1; with `differentiate: tesla` arXiv 2211.10586, eq. 6-7; soft labels,
    first items, growing window and threshold arXiv 2310.05773.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "arXiv 2203.11932, eq. 3; tesla: arXiv 2211.10586, eq. 6-7; DATM: arXiv 2310.05773"
    Config = MttConfig

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        config = self.config
        alpha = Leaf(STEP_SIZE, "set", (), lr_scale=config.lr_lr / config.lr, side=True, quantise=False)
        if not config.soft_labels:
            return (alpha,)
        scale, momentum = config.lr_label / config.lr, config.label_momentum
        return alpha, Leaf(LABELS, "item", (n_classes,), lr_scale=scale, momentum=momentum, side=True)

    def initial_extra(self, items: int, n_classes: int) -> Tensors:
        alpha = {STEP_SIZE: torch.tensor(self.config.lr_teacher)}
        return alpha | ({LABELS: torch.zeros(items, n_classes)} if self.config.soft_labels else {})

    @property
    def label_leaf(self) -> str | None:
        return LABELS if self.config.soft_labels else None

    def check(self, room: Room) -> None:
        batch = self.config.batch_syn
        if batch is not None and batch > room.all_values:
            raise SpecError(
                f"batch_syn {batch} asks for more synthetic values a student step than there are: the set gives "
                f"{room.all_values}. Give at most that many, or leave batch_syn out to take them all."
            )

    def entries(self, room: Room) -> list[tuple[dict[str, Any], int]]:
        return expert_entries(self.config, room.network.weights)

    def passes(self, room: Room) -> float:
        """N student steps an update, each gone through twice and differentiated twice."""
        batch = min(self.config.batch_syn or room.all_values, room.all_values)
        return 10 * self.config.iterations * self.config.syn_steps * batch

    def values_at_once(self, room: Room) -> int:
        batch = min(self.config.batch_syn or room.all_values, room.all_values)
        if self.config.differentiate == "unroll":
            return THROUGH_GRADIENT * batch * self.config.syn_steps
        part = batch if room.network.batch_norm else min(batch, values_at_once(room.shape, GRAPH))
        return THROUGH_GRADIENT * part

    def prepare_passes(self, room: Room) -> float:
        return 3 * self.config.experts * self.config.expert_epochs_total * room.train_size

    def prepare(self, task: PrepareTask) -> Tensors:
        if not self.config.soft_labels and self.config.first_items == "random":
            return {"experts": expert_weights(task, self.config)}
        weights = expert_weights(task, self.config, final=True)
        return {"experts": weights[:, :-1], "last": weights[:, -1]}

    def suits(
        self, task: PrepareTask, prepared: Tensors, x: Float[Tensor, "b *shape"], y: Int[Tensor, " b"]
    ) -> Bool[Tensor, " b"] | None:
        """Where `first_items` is correct: what the first expert, at its end, classifies correctly."""
        if self.config.first_items == "random":
            return None
        return expert_logits(FlatNetwork(task.network(0)), prepared["last"][:1], x)[0].argmax(1) == y

    def first_extra(self, task: MatchTask) -> Tensors:
        """Soft labels: the mean of the experts' logits at their ends, as `mean_of_correct` has it.

        An item of several values has the mean of theirs.
        """
        if not self.config.soft_labels:
            return {}
        by_class = task.synthetic()
        items = len(task.extra(LABELS))
        y = torch.arange(task.n_classes, device=by_class.device).repeat_interleave(items // task.n_classes)
        logits = expert_logits(FlatNetwork(task.network()), task.prepared["last"], by_class.flatten(0, 1))
        return {LABELS: mean_of_correct(logits.unflatten(1, (items, -1)).mean(2), y)}

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        config, by_class, alpha = self.config, task.synthetic(), task.extra(STEP_SIZE)
        x = by_class.flatten(0, 1)
        if config.soft_labels:
            z = task.extra(LABELS)
            y = z.softmax(1).repeat_interleave(len(x) // len(z), 0)
        else:
            y = torch.arange(task.n_classes, device=x.device).repeat_interleave(by_class.shape[1])
        start, target = (w.to(x) for w in self.window(task))
        steps = draw_steps(task, len(x), config.syn_steps, config.batch_syn, x.device)
        path = Trajectory(FlatNetwork(task.network().to(x)), start, target, steps)
        return matching_loss(path, x, y, alpha, config.differentiate)

    def window(self, task: MatchTask) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"]]:
        """(θ*_t, θ*_{t+M}) of an expert and a start t drawn for this update."""
        experts, draw = task.prepared["experts"], task.generator("window")
        e = int(torch.randint(len(experts), (1,), generator=draw))
        t = int(torch.randint(self.config.min_start, self.config.starts_below(task.step), (1,), generator=draw))
        return experts[e, t], experts[e, t + self.config.expert_epochs]

    def accepts(self, loss: float) -> bool:
        threshold = self.config.loss_threshold
        return threshold is None or loss <= threshold

    def after_update(self, task: MatchTask, state: dict[str, Tensor]) -> None:
        if self.config.min_step_size is not None:
            with torch.no_grad():
                task.extra(STEP_SIZE).clamp_(min=self.config.min_step_size)

    def recipe(self, codes: Codes) -> dict[str, Any]:
        """The learned step size as learning rate; nothing where it is no longer positive."""
        alpha = codes[STEP_SIZE]
        assert isinstance(alpha, Tensor)
        return {"lr": float(alpha)} if float(alpha) > 0 else {}
