"""The published loop of DC in float64, class by class and row by row, and a task that replays given draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from slow_match import network
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from ddbench.augment import apply, draw, stream
from ddbench.interfaces.network import Classifier


@dataclass
class DcTask:
    """`MatchTask` in float64 whose draws depend on their name, on the step and on how often they were asked for."""

    pool: Tensor
    """Real values [K, N, *shape]."""
    items: Tensor
    """[K, n, *shape], with gradient."""
    strategy: str = ""
    norm: str = "instance"
    step: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.n_classes, self.shape = len(self.pool), tuple(self.pool.shape[2:])
        self.prepared: dict[str, Tensor] = {}

    def begin(self, step: int) -> None:
        self.step, self.asked = step, 0

    def real(self, size: int) -> Tensor:
        self.asked += 1
        order = torch.randperm(self.pool.shape[1], generator=self.generator(f"real-{self.asked}"))
        return self.pool[:, order[:size]]

    def synthetic(self) -> Tensor:
        return self.items * 1.0

    def extra(self, name: str) -> Tensor:
        raise KeyError(name)

    def network(self, name: str = "match") -> Classifier:
        return network(self.shape, self.n_classes, self.norm, seed=self.step)

    def augment(self, *batches: Tensor) -> tuple[Tensor, ...]:
        omega = draw(self.strategy, self.shape, self.n_classes, self.generator("augment"), per_row_op=True)
        return tuple(apply(omega, x) for x in batches)

    def augmentations(self, rows: int) -> Iterator[Callable[[Tensor], Tensor]]:
        for omega in stream(self.strategy, self.shape, rows, self.generator("augment-each")):
            yield lambda x, omega=omega: apply(omega, x[:, None])[:, 0]

    def generator(self, name: str) -> Generator:
        return Generator().manual_seed(1000 * self.step + sum(map(ord, name)))


def gradients_of(model: nn.Module, x: Tensor, k: int) -> list[Tensor]:
    """Mean over items of ∇ CE(item; θ), item by item, with graph."""
    parameters = [p.requires_grad_() for p in model.parameters()]
    total = [torch.zeros_like(p) for p in parameters]
    for item in x:
        loss = cross_entropy(model(item[None]), torch.tensor([k]))
        found = torch.autograd.grad(loss, parameters, create_graph=True)
        total = [a + b / len(x) for a, b in zip(total, found)]
    return total


def slow_distance(real: list[Tensor], synthetic: list[Tensor], kind: str) -> Tensor:
    """D of one class as its definition reads, row by row. protocols.md §1.1."""
    if kind == "mse":
        return sum(((r - s) ** 2).sum() for r, s in zip(real, synthetic))  # pyright: ignore[reportReturnType]
    if kind == "cos":
        r, s = (torch.cat([g.reshape(-1) for g in side]) for side in (real, synthetic))
        return 1 - (r @ s) / (r.pow(2).sum().sqrt() * s.pow(2).sum().sqrt() + 1e-6)
    total = torch.zeros((), dtype=torch.float64)
    for r, s in zip(real, synthetic):
        if r.dim() == 1:
            continue
        for r_i, s_i in zip(r, s):
            r_i, s_i = r_i.reshape(-1), s_i.reshape(-1)
            if not bool(s_i.detach().any()):
                total = total + 1  # 1 − 0 / 1e-6, and nothing moves it
                continue
            total = total + 1 - (r_i @ s_i) / (r_i.pow(2).sum().sqrt() * s_i.pow(2).sum().sqrt() + 1e-6)
    return total


def slow_loss(model: nn.Module, real: Tensor, items: Tensor, kind: str) -> Tensor:
    """Σ_c D(∇ CE(r_c), ∇ CE(s_c)) with one graph through everything."""
    model = deepcopy(model).eval()
    total = torch.zeros((), dtype=torch.float64)
    for k, (of_class, s) in enumerate(zip(real, items)):
        target = [g.detach() for g in gradients_of(model, of_class, k)]
        total = total + slow_distance(target, gradients_of(model, s, k), kind)
    return total


def slow_walk(task: DcTask, config, networks: int, augmented: bool) -> list[float]:
    """The published two loops: `networks` fresh networks, `outer` updates of the items each. Losses, in order.

    The items of `task` are moved by SGD with momentum; the network trains by its own SGD without.
    """
    speed, losses = torch.zeros_like(task.items), []
    for it in range(networks):
        task.begin(it * config.outer)
        model = task.network()
        for o in range(config.outer):
            task.begin(it * config.outer + o)
            real = task.real(config.real_batch)
            if task.norm == "batch":
                model.train()(task.real(16).flatten(0, 1))
            items = task.items.detach().clone().requires_grad_()
            pair = task.augment(real, items) if augmented else (real, items)
            loss = slow_loss(model, *pair, config.distance)
            losses.append(float(loss.detach()))
            (slope,) = torch.autograd.grad(loss, items)
            speed = config.momentum * speed + slope
            task.items = (items - config.lr * speed).detach()
            if o < config.outer - 1:
                slow_training(model, task, config, augmented)
    return losses


def slow_training(model: nn.Module, task: DcTask, config, augmented: bool) -> None:
    x = task.items.flatten(0, 1)
    y = torch.tensor([k for k, of_class in enumerate(task.items) for _ in of_class])
    order, draws = task.generator("inner-order"), task.augmentations(config.net_batch)
    parameters = list(model.train().parameters())
    for _ in range(config.inner):
        shuffled = torch.randperm(len(x), generator=order).tolist()
        while shuffled:
            index, shuffled = shuffled[: config.net_batch], shuffled[config.net_batch :]
            batch = next(draws)(x[index]) if augmented else x[index]
            slopes = torch.autograd.grad(cross_entropy(model(batch), y[index]), parameters)
            for p, slope in zip(parameters, slopes):
                p.data = p.data - config.lr_net * slope
