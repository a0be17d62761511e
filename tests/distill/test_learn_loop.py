"""The loop: SGD with momentum by hand in float64; resume bit for bit; the last good items where it diverges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from distill_helpers import MeanMatcher, Plain, Tiles, data_of, target_of, task_of

from ddbench.distill.checkpoint import read_checkpoint, write_checkpoint
from ddbench.distill.loop import RECORDED_LOSSES, Progress, learn
from ddbench.errors import Divergence
from ddbench.interfaces.method import Matcher, MatcherConfig

KEY = "k" * 64


class Pull(Matcher):
    """Σ (w · (x̂ − target))², w and target from 0 to 1 over the items."""

    version, source, Config = "1", "made up", MatcherConfig

    def loss(self, task, state):
        x = task.synthetic()
        w = torch.linspace(0, 1, x.numel()).reshape(x.shape)
        return (w * (x - w)).square().sum()


class Poisoned(Pull):
    """Goes wrong in its own way from step 3 on."""

    def __init__(self, config, way: str) -> None:
        super().__init__(config)
        self.way = way

    def loss(self, task, state):
        loss = super().loss(task, state)
        if task.step < 3:
            return loss
        x = task.synthetic()
        if self.way == "loss":
            return loss * float("nan")
        if self.way == "gradient":
            return loss + (x * 0).abs().sqrt().sum()
        return loss + ((x - x.detach()) * 3e38).sum()


def ignore(progress: Progress) -> None:
    pass


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_updates_are_sgd_with_momentum_at_each_leafs_own_rate(momentum):
    data, lr, steps = data_of(), 0.05, 12
    task = task_of(data, Plain(None, target_of(data)))
    x, offset = (task.params[n].detach().double().numpy().copy() for n in ("x", "offset"))
    y, w = np.repeat(np.arange(3), 3), np.linspace(0, 1, x.size).reshape(x.shape)
    velocity_x, velocity_offset, losses = np.zeros_like(x), np.zeros_like(offset), []
    for _ in range(steps):
        difference = w * (x + offset[y] - w)
        losses.append((difference**2).sum())
        gradient = 2 * w * difference
        by_class = np.stack([gradient[y == k].sum(0) for k in range(3)])
        velocity_x = momentum * velocity_x + gradient
        velocity_offset = momentum * velocity_offset + by_class
        x, offset = x - lr * 0.25 * velocity_x, offset - lr * 2.0 * velocity_offset

    progress = Progress()
    learn(task, Pull(MatcherConfig(iterations=steps, lr=lr, momentum=momentum)), progress, ignore)
    np.testing.assert_allclose(task.export()["x"].numpy(), x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(task.export()["offset"].numpy(), offset, rtol=1e-4, atol=1e-5)
    assert [s for s, _ in progress.losses] == list(range(steps))
    np.testing.assert_allclose([v for _, v in progress.losses], losses, rtol=1e-4)
    assert progress.step == steps


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)


class Killed(Exception):
    pass


@pytest.mark.parametrize("kind", ["plain", "tiles in chunks, with noise"])
@pytest.mark.parametrize("stops", [(1,), (5,), (9,), (2, 3, 7)])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_run_that_was_killed_goes_on_bit_for_bit(tmp_path, kind, stops, momentum):
    data = data_of(augmentation="crop_flip")
    matcher = MeanMatcher(MatcherConfig(iterations=10, lr=0.3, momentum=momentum))

    def fresh_task():
        plain = kind == "plain"
        codec = Plain(None, target_of(data)) if plain else Tiles(target_of(data), noise=0.3, chunk=2)
        return task_of(data, codec, matcher=matcher)

    whole, path = Progress(), tmp_path / "checkpoint.safetensors"
    straight = fresh_task()
    learn(straight, matcher, whole, ignore)

    for stop in stops:

        def keep(progress: Progress, stop: int = stop) -> None:
            write_checkpoint(path, progress, KEY, 1.5)
            if progress.step == stop:
                raise Killed

        found = read_checkpoint(path, KEY)
        with pytest.raises(Killed):
            learn(fresh_task(), matcher, found[0] if found else Progress(), keep)
    found = read_checkpoint(path, KEY)
    assert found is not None
    assert found[0].step == stops[-1]
    resumed, task = found[0], fresh_task()
    learn(task, matcher, resumed, ignore)
    assert same(straight.export(), task.export())
    assert same(whole.momentum, resumed.momentum)
    assert bool(whole.momentum) == bool(momentum)
    assert same(whole.state, resumed.state)
    assert int(whole.state["count"]) == 10
    assert whole.losses == resumed.losses
    assert not torch.equal(straight.export()["weight"], torch.ones(3))


def test_a_finished_run_is_not_learned_further():
    data = data_of()
    matcher = Pull(MatcherConfig(iterations=4, lr=0.1))
    task, progress = task_of(data, Plain(None, target_of(data))), Progress()
    learn(task, matcher, progress, ignore)
    params = {n: p.detach().clone() for n, p in task.params.items()}
    again = task_of(data, Plain(None, target_of(data)))
    learn(again, matcher, progress, lambda p: pytest.fail("nothing was left to learn"))
    assert same(params, {n: p.detach() for n, p in again.params.items()})


@pytest.mark.parametrize(
    ("way", "said"), [("loss", "loss became nan"), ("gradient", "gradient of"), ("update", "values of 'x'")]
)
@pytest.mark.parametrize("last", [3, 20])
def test_divergence_leaves_the_last_good_items(way, said, last):
    """Whether the loss, a gradient or the items themselves stop being finite, at the very last update too."""
    data = data_of()
    task, progress = task_of(data, Plain(None, target_of(data)), n=1), Progress()
    kept: dict[str, torch.Tensor] = {}

    def keep(progress: Progress) -> None:
        kept.update({n: p.detach().clone() for n, p in progress.params.items()})

    matcher = Poisoned(MatcherConfig(iterations=last + 1, lr=10.0, momentum=0.0), way)
    with pytest.raises(Divergence, match=f"{said}.*at update 3"):
        learn(task, matcher, progress, keep)
    assert progress.step == 3
    assert same(kept, {n: p.detach() for n, p in task.params.items()})
    assert all(c.isfinite().all() for c in task.export().values())


def test_losses_are_thinned_and_end_with_the_last():
    data = data_of(shape=(2,), sizes=(3, 3))
    progress = Progress()
    learn(
        task_of(data, Plain(None, target_of(data)), n=1), Pull(MatcherConfig(iterations=450, lr=0.01)), progress, ignore
    )
    steps = [s for s, _ in progress.losses]
    assert steps == [*range(0, 450, 3), 449]
    assert len(steps) <= RECORDED_LOSSES + 1


def test_no_iterations_leave_the_items_as_they_are():
    data = data_of()
    task = task_of(data, Plain(None, target_of(data)))
    before = {n: p.detach().clone() for n, p in task.params.items()}
    learn(task, Pull(MatcherConfig(iterations=0, lr=1.0)), Progress(), ignore)
    assert same(before, {n: p.detach() for n, p in task.params.items()})


class Noisy(Pull):
    """Draws from PyTorch's global generator, as a network with dropout does."""

    def loss(self, task, state):
        return super().loss(task, state) + (task.synthetic() * torch.rand(())).sum()

    def after_update(self, task, state):
        state["last"] = torch.rand(2)


def test_draws_from_the_global_generator_resume_too_and_leave_it_alone():
    data = data_of()
    config = MatcherConfig(iterations=6, lr=0.01, momentum=0.5)
    whole, halves = (task_of(data, Plain(None, target_of(data))) for _ in range(2))
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    through = Progress()
    learn(whole, Noisy(config), through, ignore)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    part = Progress()
    learn(halves, Noisy(MatcherConfig(iterations=3, lr=0.01, momentum=0.5)), part, ignore)
    torch.manual_seed(3)
    learn(halves, Noisy(config), part, ignore)
    assert same(whole.export(), halves.export())
    assert same(through.state, part.state)
