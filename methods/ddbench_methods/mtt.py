"""MTT: items on which a student takes the way that experts took on the real data."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codes, Tensors
from ddbench.interfaces.method import Matcher, MatchTask, PrepareTask
from ddbench.leaf import Leaf
from ddbench_methods.mtt_adjoint import Trajectory, matching_loss
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_experts import expert_weights
from ddbench_methods.mtt_steps import draw_steps
from ddbench_methods.mtt_student import FlatNetwork

STEP_SIZE = "step_size"


class TrajectoryMatching(Matcher):
    """L = ‖θ̂_N − θ*_{t+M}‖² / ‖θ*_t − θ*_{t+M}‖², θ̂_N after N SGD steps of size α on the items from θ*_t.

    α is learned beside the items, stored, charged, and the rate at which students of the match network are trained.
    Items are augmented one by one (not Siamese: there is no real batch).
    Source: arXiv 2203.11932, eq. 3 and algorithm 1; with `differentiate: tesla` arXiv 2211.10586, eq. 6-7.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "arXiv 2203.11932, eq. 3; tesla: arXiv 2211.10586, eq. 6-7"
    Config = MttConfig

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        scale = self.config.lr_lr / self.config.lr
        return (Leaf(STEP_SIZE, "set", (), lr_scale=scale, side=True, quantise=False),)

    def initial_extra(self, items: int, n_classes: int) -> Tensors:
        return {STEP_SIZE: torch.tensor(self.config.lr_teacher)}

    def prepare(self, task: PrepareTask) -> Tensors:
        batch = self.config.batch_syn
        if batch is not None and batch > task.synthetic_size:
            raise SpecError(
                f"batch_syn {batch} asks for more synthetic values a student step than there are: the set gives "
                f"{task.synthetic_size}. Give at most that many, or leave batch_syn out to take them all."
            )
        return {"experts": expert_weights(task, self.config)}

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        config, by_class, alpha = self.config, task.synthetic(), task.extra(STEP_SIZE)
        x = by_class.flatten(0, 1)
        y = torch.arange(task.n_classes, device=x.device).repeat_interleave(by_class.shape[1])
        start, target = (w.to(x) for w in self.window(task))
        steps = draw_steps(task, len(x), config.syn_steps, config.batch_syn, x.device)
        path = Trajectory(FlatNetwork(task.network().to(x)), start, target, steps)
        return matching_loss(path, x, y, alpha, config.differentiate)

    def window(self, task: MatchTask) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"]]:
        """(θ*_t, θ*_{t+M}) of an expert and a start t drawn for this update."""
        experts, draw = task.prepared["experts"], task.generator("window")
        e = int(torch.randint(len(experts), (1,), generator=draw))
        t = int(torch.randint(self.config.min_start, self.config.max_start, (1,), generator=draw))
        return experts[e, t], experts[e, t + self.config.expert_epochs]

    def recipe(self, codes: Codes) -> dict[str, Any]:
        """The learned step size as learning rate; nothing where it is no longer positive."""
        alpha = codes[STEP_SIZE]
        assert isinstance(alpha, Tensor)
        return {"lr": float(alpha)} if float(alpha) > 0 else {}
