"""The distillation loop: matching loss, gradient, one step on the codes; checkpoints that resume bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ddbench.distill.descent import descend
from ddbench.distill.task import Matching
from ddbench.errors import Divergence
from ddbench.interfaces.method import Matcher, MatcherConfig

RECORDED_LOSSES = 200


@dataclass
class Progress:
    """Where a run stands: everything that the next update depends on, and the losses so far."""

    step: int = 0
    params: dict[str, Tensor] = field(default_factory=dict)
    momentum: dict[str, Tensor] = field(default_factory=dict)
    state: dict[str, Tensor] = field(default_factory=dict)
    losses: list[tuple[int, float]] = field(default_factory=list)
    skipped: int = 0
    """Updates that were not taken, because the matcher did not accept their loss."""
    average: dict[str, Tensor] = field(default_factory=dict)
    """Running average of the codes; empty where the matcher asks for none."""


def learn(task: Matching, matcher: Matcher, progress: Progress, keep: Callable[[Progress], None]) -> None:
    """Moves the task's items by `matcher.config.iterations` updates, onward from `progress`.

    `progress` is kept up to date; `keep` is called with it after every update (tensors are live: store copies).
    Raises: Divergence at the first loss or gradient that is not finite; the items are then the last good ones.
    """
    config = matcher.config
    _put_back(task, progress.params)
    momentum = {n: v.to(task.device, copy=True) for n, v in progress.momentum.items()}
    state = {n: t.to(task.device) for n, t in progress.state.items()}
    average = {n: t.to(task.device, copy=True) for n, t in progress.average.items()}
    if config.ema and not average:
        average = {n: p.detach().clone() for n, p in task.params.items() if n not in task.extra_names}
    progress.average = average
    thin = max(1, math.ceil(config.iterations / RECORDED_LOSSES))

    for step in range(progress.step, config.iterations):
        task.begin(step)
        with task.own_noise():
            loss = matcher.loss(task, state)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Divergence(f"The matching loss became {value} at update {step} of {config.iterations}.")
        if matcher.accepts(value):
            task.backward(loss)
            _update(task, config, momentum, f"at update {step}, loss {value:.4g}")
            with task.own_noise("after"):
                matcher.after_update(task, state)
            _follow(average, task, config.ema)
        else:
            progress.skipped += 1
        if step % thin == 0 or step == config.iterations - 1:
            progress.losses.append((step, value))
        progress.step, progress.params, progress.momentum, progress.state = step + 1, task.params, momentum, state
        keep(progress)


def _update(task: Matching, config: MatcherConfig, momentum: dict[str, Tensor], where: str) -> None:
    """One step along the gradients. Raises: Divergence, with the items as they were, where it would spoil them."""
    for name, p in task.params.items():
        if p.grad is not None and not bool(p.grad.isfinite().all()):
            raise Divergence(f"The gradient of {name!r} stopped being finite {where}.")
    before = {n: p.detach().clone() for n, p in task.params.items()}
    descend(task, config, momentum)
    if lost := [n for n, p in task.params.items() if not bool(p.detach().isfinite().all())]:
        _put_back(task, before)
        raise Divergence(f"The values of {lost[0]!r} stopped being finite {where}.")


@torch.no_grad()
def _follow(average: dict[str, Tensor], task: Matching, decay: float) -> None:
    """a ← d·a + (1 − d)·p. Source: arXiv 2211.11004 (FTD)."""
    for name, a in average.items():
        a.mul_(decay).add_(task.params[name], alpha=1 - decay)


def _put_back(task: Matching, params: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, saved in params.items():
            task.params[name].copy_(saved)
