"""The loop's SGD and Adam against the rules value by value, with a learning rate for each leaf."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from slow_match import assert_near
from torch import Generator, Tensor

from ddbench.distill.loop import Progress, learn


class FakeTask:
    """Two leaves of random values; a third that no loss reaches."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        draw = Generator().manual_seed(1)
        sizes = {"a": (4, 5), "b": (3,), "idle": (2,)}
        self.params = {
            n: torch.randn(size, generator=draw, dtype=torch.float64).requires_grad_() for n, size in sizes.items()
        }
        self.lr_scale = {"a": 1.0, "b": 0.3, "idle": 1.0}
        self.extra_names = frozenset({"a"})
        self.momentum: dict[str, float] = {}
        self.step = 0

    def begin(self, step: int) -> None:
        self.step = step
        for p in self.params.values():
            p.grad = None

    def own_noise(self, name: str = "loss") -> nullcontext[None]:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        loss.backward()


def loss_of(task: FakeTask) -> Tensor:
    return (task.params["a"].sin().sum(1).square().sum() + task.params["b"].exp().sum()) * (1 + task.step)


@pytest.mark.parametrize("own", [{}, {"b": 0.7}, {"b": 0.0}], ids=str)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_updates_follow_the_rule(momentum: float, own: dict[str, float]) -> None:
    config = SimpleNamespace(iterations=7, lr=0.013, momentum=momentum, ema=0.0, optimiser="sgd")
    matcher = SimpleNamespace(
        config=config, loss=lambda task, state: loss_of(task), after_update=lambda *_: None, accepts=lambda loss: True
    )
    task, expected, progress = FakeTask(), FakeTask(), Progress()
    task.momentum = own
    learn(task, matcher, progress, lambda _: None)  # pyright: ignore[reportArgumentType]

    speed: dict[str, list[float]] = {}
    for step in range(config.iterations):
        expected.begin(step)
        expected.backward(loss_of(expected))
        for name, p in expected.params.items():
            if p.grad is None:
                continue
            gradient = p.grad.flatten().tolist()
            before = speed.get(name, [0.0] * len(gradient))
            speed[name] = [own.get(name, momentum) * v + g for v, g in zip(before, gradient)]
            moved = [x - config.lr * expected.lr_scale[name] * v for x, v in zip(p.flatten().tolist(), speed[name])]
            p.data = torch.tensor(moved, dtype=torch.float64).reshape(p.shape)
    for name, p in expected.params.items():
        assert_near(task.params[name], p, rtol=1e-12, atol=1e-14)
    assert set(progress.momentum) == {name for name in ("a", "b") if own.get(name, momentum)}
    for name, v in progress.momentum.items():
        assert v.flatten().tolist() == pytest.approx(speed[name], rel=1e-12)


def test_adam_is_torchs_with_the_root_of_a_codec_leafs_scale() -> None:
    config = SimpleNamespace(iterations=9, lr=0.013, momentum=0.5, ema=0.0, optimiser="adam")
    matcher = SimpleNamespace(
        config=config, loss=lambda task, state: loss_of(task), after_update=lambda *_: None, accepts=lambda loss: True
    )
    task, expected, progress = FakeTask(), FakeTask(), Progress()
    learn(task, matcher, progress, lambda _: None)  # pyright: ignore[reportArgumentType]
    rates = {"a": 0.013, "b": 0.013 * 0.3**0.5}
    optimiser = torch.optim.Adam([{"params": [expected.params[n]], "lr": lr} for n, lr in rates.items()])
    for step in range(config.iterations):
        expected.begin(step)
        expected.backward(loss_of(expected))
        optimiser.step()
    for name, p in expected.params.items():
        assert_near(task.params[name], p, rtol=1e-10, atol=1e-12)
    assert "idle" not in progress.momentum
