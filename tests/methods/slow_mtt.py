"""MTT's loss as loops over steps, items and parameter tensors in float64, and tasks to draw steps from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from ddbench_methods.mtt_adjoint import Trajectory
from ddbench_methods.mtt_steps import draw_steps
from ddbench_methods.mtt_student import FlatNetwork
from slow_match import network, values
from torch import Generator, Tensor
from torch.func import functional_call

from ddbench.distill.task import each_its_own

K = 3
SHAPES = {"maps": (1, 8, 8), "series": (2, 16), "rows": (6,)}
STRATEGIES = {"maps": "color_crop_cutout_flip_scale_rotate", "series": "crop_cutout_scale", "rows": ""}


def drawing_task(kind: str, augmented: bool = True, seed: int = 5) -> Any:
    """What `draw_steps` asks of a task: the same streams each time."""
    strategy = STRATEGIES[kind] if augmented else ""
    space: Any = SimpleNamespace(augmentation=strategy, shape=SHAPES[kind], device=torch.device("cpu"))

    def stream(name: str) -> Generator:
        return Generator().manual_seed(seed + len(name))

    def augmentations(rows: int) -> Iterator[Callable[[Tensor], Tensor]]:
        return each_its_own(space, rows, stream("augment"))

    return SimpleNamespace(generator=stream, augmentations=augmentations)


class Problem:
    """A start, a target, items and a step size in float64, with N steps drawn."""

    def __init__(
        self, kind: str, steps: int, n: int = 2, batch: int | None = None, seed: int = 0, norm: str = "instance"
    ):
        self.model = network(SHAPES[kind], K, norm=norm, seed=seed)
        self.student = FlatNetwork(self.model)
        self.start = self.student.weights()
        draw = Generator().manual_seed(seed)
        self.target = self.start + 0.05 * torch.randn(self.start.shape, generator=draw, dtype=torch.float64)
        self.x = values(SHAPES[kind], K, n, seed + 1).flatten(0, 1)
        self.y = torch.arange(K).repeat_interleave(n)
        self.alpha = torch.tensor(0.3, dtype=torch.float64)
        self.steps = draw_steps(drawing_task(kind), len(self.x), steps, batch, torch.device("cpu"))

    @property
    def path(self) -> Trajectory:
        return Trajectory(self.student, self.start, self.target, self.steps)

    def leaves(self) -> tuple[Tensor, Tensor]:
        return self.x.clone().requires_grad_(), self.alpha.clone().requires_grad_()

    def slow(self, x: Tensor, alpha: Tensor, y: Tensor | None = None, graph: bool = True) -> Tensor:
        """The definition, parameter tensor by parameter tensor; the cross-entropy written out item by item."""
        y = self.y if y is None else y
        theta = [w.requires_grad_() for w in self._tensors(self.start)]
        for step in self.steps:
            augmented = step.augment(torch.stack([x[int(i)] for i in step.rows]))
            logits = self._logits(theta, augmented)
            total = torch.zeros((), dtype=torch.float64)
            for row, i in enumerate(step.rows.tolist()):
                share = logits[row] - torch.log(torch.exp(logits[row]).sum())
                label = y[i]
                total = total - (share[int(label)] if label.dim() == 0 else sum(p * s for p, s in zip(label, share)))
            slopes = torch.autograd.grad(total / len(step.rows), theta, create_graph=graph)
            theta = [w - alpha * g for w, g in zip(theta, slopes)]
            if not graph:
                theta = [w.detach().requires_grad_() for w in theta]
        up = sum(((w - t) ** 2).sum() for w, t in zip(theta, self._tensors(self.target)))
        down = sum(((s - t) ** 2).sum() for s, t in zip(self._tensors(self.start), self._tensors(self.target)))
        return torch.as_tensor(up / down)

    def _tensors(self, theta: Tensor) -> list[Tensor]:
        found, at = [], 0
        for p in self.model.parameters():
            found.append(theta[at : at + p.numel()].reshape(p.shape).clone())
            at += p.numel()
        return found

    def _logits(self, theta: list[Tensor], x: Tensor) -> Tensor:
        names = [name for name, _ in self.model.named_parameters()]
        return functional_call(self.model, dict(zip(names, theta)), (x,))
