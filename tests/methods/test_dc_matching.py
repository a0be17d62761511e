"""DC and DSA against the published loops in float64: loss, gradient, networks, whole walks."""

from __future__ import annotations

import pytest
import torch
from ddbench_methods.dc import Dc, Dsa
from ddbench_methods.gradient_matching import matching_loss
from ddbench_methods.net_training import train
from slow_dc import DcTask, slow_loss, slow_training, slow_walk
from slow_match import assert_near, network, values
from torch import Tensor

from ddbench.testing.method_case import Ground

K = 3
SHAPES = {"maps": (1, 8, 8), "series": (2, 16), "rows": (6,)}
STRATEGIES = {"maps": "color_crop_cutout_flip_scale_rotate", "series": "crop_cutout_scale", "rows": ""}
KINDS = ("ours", "mse", "cos")


def built(plugin: type[Dc] = Dc, **args) -> Dc:
    return plugin(plugin.Config(**args))


@pytest.mark.parametrize("batched", ["loop", "together"])
@pytest.mark.parametrize("distance", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradient_are_those_of_the_slow_loop(shape: str, distance, batched) -> None:
    model, real = network(SHAPES[shape], K), values(SHAPES[shape], K, 5, seed=1)
    items = values(SHAPES[shape], K, 2, seed=2).requires_grad_()
    loss = matching_loss(model, real, items, distance, batched)
    (slope,) = torch.autograd.grad(loss, items)
    expected = slow_loss(model, real, items, distance)
    (wanted,) = torch.autograd.grad(expected, items)
    assert float(expected.detach()) > 1e-3
    assert float(wanted.abs().max()) > 1e-6
    assert_near(loss, expected, rtol=1e-10, atol=1e-12)
    assert_near(slope, wanted, rtol=1e-8, atol=1e-10 * float(wanted.abs().max()))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("distance", KINDS)
def test_gradient_is_that_of_finite_differences(distance) -> None:
    shape, h = SHAPES["maps"], 1e-6
    model, real = network(shape, K), values(shape, K, 4, seed=1)
    items = values(shape, K, 2, seed=2).requires_grad_()
    (slope,) = torch.autograd.grad(matching_loss(model, real, items, distance), items)
    for place in ((0, 0, 0, 0, 0), (1, 1, 0, 3, 5), (2, 0, 0, 7, 2)):
        ends = []
        for side in (h, -h):
            moved = items.detach().clone()
            moved[place] += side
            ends.append(float(slow_loss(model, real, moved, distance).detach()))
        assert float(slope[place]) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4, abs=1e-7)


def test_the_gradient_goes_on_through_what_made_the_items() -> None:
    """Codes move through the decoder's chain rule."""
    shape = SHAPES["maps"]
    model, real = network(shape, K), values(shape, K, 4, seed=1)
    code = values(shape, K, 2, seed=2).requires_grad_()
    slopes = [
        torch.autograd.grad(loss(model, real, code.tanh() * 2, "ours"), code)[0] for loss in (matching_loss, slow_loss)
    ]
    assert_near(*slopes, rtol=1e-8, atol=1e-12)


def walked(method: Dc, task: DcTask, updates: int) -> list[float]:
    """Losses of the method's own steps, its items moved by SGD with momentum."""
    state: dict[str, Tensor] = {}
    speed, losses = torch.zeros_like(task.items), []
    for step in range(updates):
        task.begin(step)
        task.items = task.items.detach().requires_grad_()
        loss = method.loss(task, state)
        losses.append(float(loss.detach()))
        (slope,) = torch.autograd.grad(loss, task.items)
        speed = method.config.momentum * speed + slope
        task.items = (task.items - method.config.lr * speed).detach()
        method.after_update(task, state)
    return losses


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("plugin", [Dc, Dsa])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_walk_is_that_of_the_published_loops(plugin: type[Dc], shape: str, norm: str) -> None:
    """Two networks, three updates each; the network's batches are uneven (4 of 6 items, then 2)."""
    args = {"outer": 3, "inner": 2, "real_batch": 5, "lr": 0.05, "lr_net": 0.1, "net_batch": 4}
    method = built(plugin, **args)
    found, expected = (
        DcTask(values(SHAPES[shape], K, 20, 1), values(SHAPES[shape], K, 2, 2), STRATEGIES[shape], norm)
        for _ in range(2)
    )
    losses = walked(method, found, 6)
    wanted = slow_walk(expected, method.config, networks=2, augmented=plugin is Dsa)
    assert losses == pytest.approx(wanted, rel=1e-8)
    assert len({round(x, 6) for x in losses}) == 6
    assert_near(found.items, expected.items, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("change", [{"inner": 1}, {"outer": 2}, {"lr_net": 0.2}, {"net_batch": 5}])
def test_every_argument_of_the_loops_changes_the_walk(change: dict) -> None:
    args = {"outer": 3, "inner": 2, "real_batch": 5, "lr": 0.05, "lr_net": 0.1, "net_batch": 4}
    shape = SHAPES["rows"]
    tasks = [DcTask(values(shape, K, 20, 1), values(shape, K, 2, 2)) for _ in range(2)]
    losses = [walked(built(**a), task, 3) for a, task in zip((args, {**args, **change}), tasks)]
    assert losses[0][0] == losses[1][0]
    assert losses[0][2] != pytest.approx(losses[1][2], rel=1e-6)


def test_training_in_chunks_is_training_on_whole_batches() -> None:
    shape = SHAPES["maps"]
    task = DcTask(values(shape, K, 3, 1), values(shape, K, 30, 2))
    config = built(outer=1, inner=2, net_batch=70, lr_net=0.1).config
    found, expected = network(shape, K), network(shape, K)
    y = torch.arange(K).repeat_interleave(30)
    order = task.generator("inner-order")
    train(found, task.items.flatten(0, 1), y, 2, 70, 0.1, order, lambda x: x)
    slow_training(expected, task, config, augmented=False)
    for a, b in zip(found.parameters(), expected.parameters()):
        assert_near(a, b, rtol=1e-9, atol=1e-12)


def test_loops_by_items_a_class() -> None:
    table = {1: (1, 1), 9: (1, 1), 10: (10, 50), 16: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
    assert {n: built().loops(n) for n in table} == table
    assert built().loops(500) == (50, 10)
    assert built(outer=7).loops(10) == (7, 50)
    assert built(inner=0).loops(10) == (10, 0)


def test_published_defaults() -> None:
    dc, dsa = built().config, built(Dsa).config
    for config in (dc, dsa):
        assert (config.lr, config.momentum, config.real_batch, config.distance) == (0.1, 0.5, 256, "ours")
        assert (config.lr_net, config.net_batch, config.outer, config.inner) == (0.01, 256, None, None)
    assert (built().start(), built(Dsa).start()) == ("noise", "real")


def test_state_is_dropped_with_its_network() -> None:
    """A checkpoint between two networks holds none."""
    method = built(outer=2, inner=1, real_batch=4)
    task = DcTask(values((6,), K, 20, 1), values((6,), K, 2, 2))
    state: dict[str, Tensor] = {}
    for step, kept in ((0, True), (1, False), (2, True)):
        task.begin(step)
        task.items = task.items.detach().requires_grad_()
        method.loss(task, state)
        method.after_update(task, state)
        assert bool(state) is kept


def test_loss_of_the_frameworks_task_is_the_slow_loop_on_the_same_draws() -> None:
    ground = Ground((1, 8, 8), "signal")
    for plugin in (Dc, Dsa):
        method = built(plugin, real_batch=6)
        task = ground.matching(method)
        task.begin(2)
        loss = method.loss(task, {})
        task.begin(2)
        batches = (task.real(6), task.synthetic())
        batches = task.augment(*batches) if plugin is Dsa else batches
        expected = slow_loss(task.network().double(), *(x.detach().double() for x in batches), "ours")
        assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
