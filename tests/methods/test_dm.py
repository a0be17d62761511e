"""DM's loss and gradient against slow loops in float64, and what it must not do with batch statistics."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from ddbench_methods.dm import DistributionMatching, DmConfig, class_means, matching_loss
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_match import GivenTask, assert_near, network, slow_loss, values
from torch import Tensor

from ddbench.interfaces.parts import part_of
from ddbench.testing.method_case import Ground

K = 3
SHAPES = {"maps": (1, 8, 8), "series": (2, 16), "rows": (6,)}
STRATEGIES = {"maps": "color_crop_cutout_flip_scale_rotate", "series": "crop_cutout", "rows": ""}


def dm(real_batch: int = 256) -> DistributionMatching:
    return DistributionMatching(DmConfig.model_validate({"real_batch": real_batch}))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("augmented", [False, True])
def test_loss_and_gradient_are_those_of_the_slow_loop(kind: str, augmented: bool) -> None:
    shape = SHAPES[kind]
    psi, real = network(shape, K), values(shape, K, 5, seed=1)
    items = values(shape, K, 2, seed=2).flip(0).requires_grad_()
    task = GivenTask(real, items, psi, STRATEGIES[kind] if augmented else "")
    loss = dm().loss(task, {})
    (gradient,) = torch.autograd.grad(loss, items)

    again = items.detach().clone().requires_grad_()
    expected = slow_loss(psi, *task.augment(real, again))
    (slope,) = torch.autograd.grad(expected, again)
    assert float(expected.detach()) > 1e-3
    assert_near(loss, expected, rtol=1e-9, atol=1e-12)
    assert_near(gradient, slope, rtol=1e-7, atol=1e-10)


def test_gradient_is_that_of_finite_differences_of_the_slow_loop() -> None:
    shape, h = SHAPES["maps"], 1e-6
    psi, real = network(shape, K), values(shape, K, 4, seed=1)
    items = values(shape, K, 2, seed=2).flip(0).requires_grad_()
    (gradient,) = torch.autograd.grad(dm().loss(GivenTask(real, items, psi), {}), items)
    for place in ((0, 0, 0, 0, 0), (1, 1, 0, 3, 5), (2, 0, 0, 7, 2)):
        moved = items.detach().clone()
        moved[place] += h
        up = float(slow_loss(psi, real, moved))
        moved[place] -= 2 * h
        down = float(slow_loss(psi, real, moved))
        assert float(gradient[place]) == pytest.approx((up - down) / (2 * h), rel=1e-4, abs=1e-7)


def test_loss_of_the_frameworks_task_is_the_slow_loop_on_the_same_draws() -> None:
    """The task's own real draw, network and augmentation, asked for once more, in float64."""
    ground, method = Ground((1, 8, 8), "signal"), dm(real_batch=6)
    task = ground.matching(method)
    task.begin(2)
    loss = method.loss(task, {})
    task.begin(2)
    batches = [x.detach().double() for x in task.augment(task.real(6), task.synthetic())]
    expected = slow_loss(task.network().double(), *batches)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    task.begin(3)
    assert float(method.loss(task, {}).detach()) != pytest.approx(float(expected.detach()), rel=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), kind=st.sampled_from(sorted(SHAPES)))
def test_items_that_are_the_real_ones_cost_nothing(seed: int, kind: str) -> None:
    """Only where both sides of a class meet the same augmentation."""
    shape = SHAPES[kind]
    real = values(shape, K, 3, seed)
    loss = dm().loss(GivenTask(real, real.flip(1), network(shape, K), STRATEGIES[kind]), {})
    assert float(loss) < 1e-18


def test_real_items_in_chunks_give_the_same_means() -> None:
    shape = SHAPES["maps"]
    psi, x = network(shape, K), values(shape, K, 11, seed=1)
    expected = torch.stack([torch.stack([psi.embed(i[None])[0] for i in of_class]).mean(0) for of_class in x])
    for chunk in (None, 1, 7, 33, 1000):
        assert_near(class_means(psi, x, chunk), expected, rtol=1e-10, atol=1e-12)


def test_large_pictures_go_through_by_smaller_chunks_where_there_is_no_cpu() -> None:
    """On tensors that hold nothing, of which alone the sizes are seen."""
    psi = network((1, 128, 128), 3).to("meta").requires_grad_(False)
    batches: list[int] = []
    embed = psi.embed

    def seen(x: Tensor) -> Tensor:
        batches.append(len(x))
        return embed(x)

    psi.embed = seen
    real, items = (torch.empty(3, n, 1, 128, 128, dtype=torch.float64, device="meta") for n in (100, 30))
    aim = class_means(psi, real, part_of(real.device, real.shape[2:]))
    matching_loss(psi, aim, items.requires_grad_())
    assert batches == [256, 44, 60, 30]


def test_real_items_are_embedded_a_chunk_at_a_time_without_a_graph() -> None:
    shape = SHAPES["rows"]
    task = GivenTask(values(shape, K, 30, 1), values(shape, K, 2, 2).requires_grad_(), network(shape, K))
    dm().loss(task, {}).backward()
    assert task.batches == [32, 32, 26, 2 * K]
    assert all(p.grad is None for p in task.psi.parameters())


def test_batch_statistics_are_those_of_all_classes_together() -> None:
    shape = SHAPES["maps"]
    real, items = values(shape, K, 20, seed=1), values(shape, K, 2, seed=2).flip(0)
    psi = network(shape, K, norm="batch")
    task = GivenTask(real, items, psi)
    loss = dm().loss(task, {})
    assert task.batches == [20 * K, 2 * K]

    whole = [psi.embed(x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean(1) for x in (real, items)]
    assert_near(loss, ((whole[0] - whole[1]) ** 2).sum(), rtol=1e-9, atol=1e-12)
    by_class = [torch.stack([psi.embed(of_class).mean(0) for of_class in x]) for x in (real, items)]
    leaking = ((by_class[0] - by_class[1]) ** 2).sum()
    assert float(leaking) != pytest.approx(float(loss), rel=0.05)


@pytest.mark.parametrize("n", [1, 5, 100])
def test_many_classes_are_back_propagated_some_at_a_time_with_the_same_gradient(n: int) -> None:
    shape, classes = SHAPES["rows"], 30
    psi = network(shape, classes)
    items = values(shape, classes, n, seed=2).requires_grad_()
    aim = class_means(psi, values(shape, classes, 3, seed=1), 32)
    task = GivenTask(values(shape, classes, 3, 1), items, psi)
    loss = matching_loss(psi, aim, items)
    assert max(task.batches) <= max(64, n)
    (gradient,) = torch.autograd.grad(loss, items)
    whole = (aim - class_means(psi, items)).square().sum()
    (expected,) = torch.autograd.grad(whole, items)
    assert_near(loss, whole, rtol=1e-10)
    assert_near(gradient, expected, rtol=1e-8, atol=1e-12)


def test_memory_does_not_grow_with_the_number_of_classes() -> None:
    shape, classes, n = (1, 16, 16), 200, 10
    psi = network(shape, classes).float().requires_grad_(False)
    x = values(shape, classes, n, seed=2).float().requires_grad_()
    aim = class_means(psi, x, 32)

    def growth_bytes(loss: Callable[[], Tensor]) -> int:
        """Bytes of all tensors that the graph keeps from the forward pass to the backward one, at the worst moment."""
        live = [0, 0]

        def kept(t: Tensor) -> Tensor:
            live[0] += t.numel() * t.element_size()
            live[1] = max(live)
            return t

        def used(t: Tensor) -> Tensor:
            live[0] -= t.numel() * t.element_size()
            return t

        with torch.autograd.graph.saved_tensors_hooks(kept, used):
            loss().backward()
        return live[1]

    of_all = growth_bytes(lambda: (aim - class_means(psi, x)).square().sum())
    assert growth_bytes(lambda: matching_loss(psi, aim, x)) < of_all / 10
