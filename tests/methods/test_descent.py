"""The loop's SGD with momentum against torch.optim, to the bit, with a learning rate for each leaf."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Generator, Tensor

from ddbench.distill.loop import Progress, learn


class FakeTask:
    """Two leaves of random values; a third that no loss reaches."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        draw = Generator().manual_seed(1)
        sizes = {"a": (4, 5), "b": (3,), "idle": (2,)}
        self.params = {n: torch.randn(size, generator=draw).requires_grad_() for n, size in sizes.items()}
        self.lr_scale = {"a": 1.0, "b": 0.3, "idle": 1.0}
        self.step = 0

    def begin(self, step: int) -> None:
        self.step = step
        for p in self.params.values():
            p.grad = None

    def backward(self, loss: Tensor) -> None:
        loss.backward()


def loss_of(task: FakeTask) -> Tensor:
    return (task.params["a"].sin().sum(1).square().sum() + task.params["b"].exp().sum()) * (1 + task.step)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_updates_are_those_of_torch(momentum: float) -> None:
    config = SimpleNamespace(iterations=7, lr=0.013, momentum=momentum)
    matcher = SimpleNamespace(config=config, loss=lambda task, state: loss_of(task), after_update=lambda *_: None)
    task, expected, progress = FakeTask(), FakeTask(), Progress()
    learn(task, matcher, progress, lambda _: None)  # pyright: ignore[reportArgumentType]

    groups = [{"params": [p], "lr": config.lr * expected.lr_scale[n]} for n, p in expected.params.items()]
    optimiser = torch.optim.SGD(groups, lr=config.lr, momentum=momentum)
    for step in range(config.iterations):
        expected.begin(step)
        expected.backward(loss_of(expected))
        optimiser.step()
    for name, p in expected.params.items():
        assert torch.equal(task.params[name], p)
        buffer = optimiser.state[p].get("momentum_buffer")
        assert (name in progress.momentum) == (buffer is not None)
        if buffer is not None:
            assert torch.equal(progress.momentum[name], buffer)
