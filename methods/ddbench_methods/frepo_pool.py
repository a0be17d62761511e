"""The pool of networks that learn from the items while the items are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.interfaces.method import MatchTask
from ddbench.interfaces.network import Classifier, has_batch_norm
from ddbench.interfaces.parts import in_parts, part_of
from ddbench_methods.mtt_student import FlatNetwork

if TYPE_CHECKING:
    from ddbench_methods.frepo import FrepoConfig


class Pool:
    """Networks by number, as they stand in a matcher's `state`: weights, momentum, updates so far.

    A network starts, when it is first taken and whenever it has had `net_steps` updates, from fresh weights. At the
    start the networks' ages are spread evenly by when they are due to be drawn anew, so that not all are young at once.
    """

    def __init__(self, config: FrepoConfig, state: dict[str, Tensor]) -> None:
        self.config, self.state = config, state

    def taken(self, task: MatchTask) -> int:
        """Number of this update's network."""
        return int(torch.randint(self.config.pool, (1,), generator=task.generator("pool")))

    def take(self, task: MatchTask) -> Classifier:
        """This update's network."""
        i, model = self.taken(task), task.network()
        if f"weights-{i}" not in self.state:
            flat = FlatNetwork(model).weights()
            self.state[f"weights-{i}"], self.state[f"velocity-{i}"] = flat, torch.zeros_like(flat)
            first = f"age-{i}" not in self.state
            self.state[f"age-{i}"] = torch.tensor(i * self.config.net_steps // self.config.pool if first else 0)
        load(model, self.state[f"weights-{i}"])
        return model

    def train(self, task: MatchTask, x: Float[Tensor, "m *shape"], y: Float[Tensor, "m k"]) -> None:
        """Some updates of this update's network on the items as they stand now."""
        i, config = self.taken(task), self.config
        net = FlatNetwork(task.network())
        theta, velocity = self.state[f"weights-{i}"], self.state[f"velocity-{i}"]
        order, size = task.generator("pool-order"), min(config.net_batch, len(x))
        augment = task.augmentations(size) if config.augment else None
        for _ in range(config.steps_an_update):
            index = torch.randperm(len(x), generator=order)[:size].to(x.device)
            seen = next(augment)(x[index]) if augment else x[index]
            velocity.mul_(config.momentum_net).add_(gradient(net, theta, seen, y[index]))
            theta.sub_(velocity, alpha=config.lr_net)
        self.state[f"age-{i}"] = age = self.state[f"age-{i}"] + config.steps_an_update
        if int(age) >= config.net_steps or not bool(theta.isfinite().all()):
            del self.state[f"weights-{i}"], self.state[f"velocity-{i}"]


def load(model: Classifier, theta: Float[Tensor, " p"]) -> None:
    """Puts a flat vector into a network's weights."""
    with torch.no_grad():
        for p, part in zip(model.parameters(), theta.split([p.numel() for p in model.parameters()])):
            p.copy_(part.view_as(p))


def gradient(
    net: FlatNetwork, theta: Float[Tensor, " p"], x: Float[Tensor, "m *shape"], y: Float[Tensor, "m k"]
) -> Float[Tensor, " p"]:
    """Gradient of the mean cross-entropy in the weights, added up over parts of the batch."""
    size = len(x) if has_batch_norm(net.model) else part_of(x.device, x.shape[1:])
    total = torch.zeros_like(theta)
    for part, told, share in in_parts(x, y, size):
        w = theta.detach().requires_grad_()
        total += torch.autograd.grad(net.loss(w, part, told) * share, w)[0]
    return total
