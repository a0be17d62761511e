"""The distillation loop: matching loss, gradient, one SGD step on the codes; checkpoints that resume bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

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


def learn(task: Matching, matcher: Matcher, progress: Progress, keep: Callable[[Progress], None]) -> None:
    """Moves the task's items by `matcher.config.iterations` updates, onward from `progress`.

    `progress` is kept up to date; `keep` is called with it after every update (tensors are live: store copies).
    Raises: Divergence at the first loss or gradient that is not finite; the items are then the last good ones.
    """
    config = matcher.config
    _put_back(task, progress.params)
    momentum = {n: v.to(task.device, copy=True) for n, v in progress.momentum.items()}
    state = {n: t.to(task.device) for n, t in progress.state.items()}
    thin = max(1, math.ceil(config.iterations / RECORDED_LOSSES))

    for step in range(progress.step, config.iterations):
        task.begin(step)
        with task.own_noise():
            loss = matcher.loss(task, state)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Divergence(f"The matching loss became {value} at update {step} of {config.iterations}.")
        task.backward(loss)
        for name, p in task.params.items():
            if p.grad is not None and not bool(p.grad.isfinite().all()):
                raise Divergence(f"The gradient of {name!r} stopped being finite at update {step}, loss {value:.4g}.")
        before = {n: p.detach().clone() for n, p in task.params.items()}
        _descend(task, config, momentum)
        if lost := [n for n, p in task.params.items() if not bool(p.detach().isfinite().all())]:
            _put_back(task, before)
            raise Divergence(f"The values of {lost[0]!r} stopped being finite at update {step}, loss {value:.4g}.")
        with task.own_noise("after"):
            matcher.after_update(task, state)
        if step % thin == 0 or step == config.iterations - 1:
            progress.losses.append((step, value))
        progress.step, progress.params, progress.momentum, progress.state = step + 1, task.params, momentum, state
        keep(progress)


@torch.no_grad()
def _descend(task: Matching, config: MatcherConfig, momentum: dict[str, Tensor]) -> None:
    """v ← β·v + g (at first v = g), p ← p − lr·v: torch.optim.SGD to the bit.

    Written out because torch.optim imports torch's compiler when first used: seconds in every process.
    """
    for name, p in task.params.items():
        if p.grad is None:
            continue
        v = p.grad
        if config.momentum:
            v = momentum[name].mul_(config.momentum).add_(v) if name in momentum else v.clone()
            momentum[name] = v
        p.add_(v, alpha=-config.lr * task.lr_scale[name])


def _put_back(task: Matching, params: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, saved in params.items():
            task.params[name].copy_(saved)
