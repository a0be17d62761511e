"""Large values go through networks by parts: the same gradients as in one pass, and no part above its size."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ddbench_methods.dm import class_means
from ddbench_methods.dm import matching_loss as dm_loss
from ddbench_methods.frepo_pool import gradient
from ddbench_methods.frepo_regression import items_loss
from ddbench_methods.gradient_matching import matching_loss as dc_loss
from ddbench_methods.mtt_adjoint import Trajectory
from ddbench_methods.mtt_adjoint import matching_loss as mtt_loss
from ddbench_methods.mtt_experts import gradients as expert_gradients
from ddbench_methods.mtt_labels import expert_logits
from ddbench_methods.mtt_steps import draw_steps
from ddbench_methods.mtt_student import FlatNetwork
from ddbench_methods.net_training import train
from slow_dc import slow_loss as slow_dc
from slow_match import assert_near, network, values
from slow_match import slow_loss as slow_dm
from slow_mtt import drawing_task
from torch import Generator, Tensor

from ddbench.interfaces import parts
from ddbench.interfaces.network import Classifier
from ddbench.interfaces.parts import GRAPH, PASS, part_in_training, part_of, values_at_once

K, N, SHAPE = 2, 10, (1, 16, 16)
OF_PASS, OF_GRAPH = 16, 4
"""Values of SHAPE in a part where parts are meant for one position instead of 32 × 32."""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "POSITIONS", 1)
    assert (values_at_once(SHAPE), values_at_once(SHAPE, GRAPH)) == (OF_PASS, OF_GRAPH)


def watched(model: Classifier) -> list[int]:
    """The sizes of batches that the model is given from now on."""
    sizes: list[int] = []
    model.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    return sizes


def accelerator(monkeypatch: pytest.MonkeyPatch, *modules: Any) -> None:
    """Parts as where there is no CPU's cache to keep them in."""
    for module in modules:
        monkeypatch.setattr(module, "part_of", lambda _, shape, values=PASS: values_at_once(shape, values))


@pytest.mark.parametrize(
    ("shape", "of_pass", "of_graph"),
    [((3, 32, 32), 4096, 1024), ((1, 28, 28), 4096, 1024), ((12,), 4096, 1024), ((3, 256, 256), 64, 16),
     ((3, 4096, 4096), 1, 1), ((1, 8000), 524, 131)],
)  # fmt: skip
def test_parts_of_large_values_hold_no_more_positions(shape: tuple[int, ...], of_pass: int, of_graph: int) -> None:
    assert (values_at_once(shape), values_at_once(shape, GRAPH)) == (of_pass, of_graph)
    assert part_of(torch.device("cuda"), shape) == of_pass
    assert part_of(torch.device("cpu"), shape) == min(32, of_pass)
    assert values_at_once(shape, networks=5) == max(1, of_pass // 5)


def test_a_batch_is_whole_where_it_is_normalised_together() -> None:
    assert part_in_training(network(SHAPE, K, norm="batch"), (3, 512, 512), 256) == 256
    assert part_in_training(network(SHAPE, K), (3, 512, 512), 256) == 16
    assert part_in_training(network(SHAPE, K), (3, 512, 512), 256, networks=5) == 3
    assert part_in_training(network(SHAPE, K), (3, 128, 128), 256) == 256


@pytest.mark.parametrize("n", [OF_GRAPH + 1, 30, 70])
def test_dm_by_parts_of_a_class_is_the_slow_loop(n: int, small_parts: None) -> None:
    psi, real = network(SHAPE, K), values(SHAPE, K, 5, seed=1)
    sizes: list[int] = []
    embed = psi.embed
    psi.embed = lambda x: (sizes.append(len(x)), embed(x))[1]
    items = values(SHAPE, K, n, seed=2).flip(0).requires_grad_()
    loss = dm_loss(psi, class_means(psi, real, 32), items)
    (slope,) = torch.autograd.grad(loss, items)
    assert max(sizes[1:]) == OF_GRAPH
    expected = slow_dm(psi, real, items)
    (wanted,) = torch.autograd.grad(expected, items)
    assert float(wanted.abs().max()) > 1e-8
    assert_near(loss, expected, rtol=1e-9)
    assert_near(slope, wanted, rtol=1e-7, atol=1e-9 * float(wanted.abs().max()))


@pytest.mark.parametrize("batched", ["loop", "together"])
@pytest.mark.parametrize("distance", ["ours", "mse", "cos"])
def test_dc_by_parts_of_a_class_is_the_slow_loop(distance: Any, batched: Any, small_parts: None) -> None:
    model, real = network(SHAPE, K), values(SHAPE, K, 3, seed=1)
    items, sizes = values(SHAPE, K, N, seed=2).requires_grad_(), watched(model)
    loss = dc_loss(model, real, items, distance, batched)
    (slope,) = torch.autograd.grad(loss, items)
    assert sizes.count(OF_GRAPH) == 2 * 2  # of each class two parts of four and one of two, where the graph is kept
    expected = slow_dc(model, real, items, distance)
    (wanted,) = torch.autograd.grad(expected, items)
    assert float(wanted.abs().max()) > 1e-8
    assert_near(loss, expected, rtol=1e-10, atol=1e-12)
    assert_near(slope, wanted, rtol=1e-8, atol=1e-10 * float(wanted.abs().max()))


@pytest.mark.parametrize("soft", [False, True])
def test_mtt_by_parts_of_a_step_is_one_pass(soft: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(SHAPE, K)
    student, space = FlatNetwork(model), drawing_task("maps")
    start = student.weights()
    target = start + 0.05 * torch.randn(start.shape, generator=Generator().manual_seed(0), dtype=torch.float64)
    path = Trajectory(student, start, target, draw_steps(space, K * N, 3, 9, torch.device("cpu")))
    y = torch.arange(K).repeat_interleave(N)

    def found() -> tuple[Tensor, ...]:
        x = values(SHAPE, K, N, 1).flatten(0, 1).requires_grad_()
        alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        told = torch.nn.functional.one_hot(y, K).double().requires_grad_() if soft else y
        loss = mtt_loss(path, x, told, alpha, "adjoint")
        return loss.detach(), *torch.autograd.grad(loss, [x, alpha, *([told] if soft else [])])

    sizes = watched(model)
    whole = found()
    assert max(sizes) == 9
    monkeypatch.setattr(parts, "POSITIONS", 1)
    sizes.clear()
    for by_parts, at_once in zip(found(), whole, strict=True):
        assert_near(by_parts, at_once, rtol=1e-9, atol=1e-11 * float(at_once.abs().max()))
    assert max(sizes) == OF_GRAPH


@pytest.mark.parametrize("experts", [1, 3])
def test_experts_by_parts_of_a_batch_are_one_pass(experts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, model = values(SHAPE, K, N, 1).flatten(0, 1), network(SHAPE, K)
    task: Any = SimpleNamespace(real=lambda r: x[r], labels=torch.arange(K).repeat_interleave(N), shape=SHAPE)
    theta = torch.stack([FlatNetwork(network(SHAPE, K, seed=e)).weights() for e in range(experts)])
    rows = torch.stack([torch.randperm(K * N, generator=Generator().manual_seed(e))[:18] for e in range(experts)])

    def found() -> Tensor:
        return expert_gradients(task, FlatNetwork(model), theta, rows, [lambda v: v] * experts)

    sizes: list[int] = []
    model.register_forward_hook(lambda _, given, __: sizes.append(given[0].shape[-4]))
    whole = found()
    assert max(sizes) == 18
    monkeypatch.setattr(parts, "POSITIONS", 1)
    sizes.clear()
    assert_near(found(), whole, rtol=1e-9, atol=1e-12)
    assert max(sizes) == OF_PASS // experts


def test_networks_that_train_on_items_take_them_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddbench_methods import frepo_pool, net_training

    x, y = values(SHAPE, K, 20, 1).flatten(0, 1), torch.arange(K).repeat_interleave(20)

    def trained() -> tuple[Tensor, int]:
        model = network(SHAPE, K)
        sizes = watched(model)
        train(model, x, y, 2, 30, 0.1, Generator().manual_seed(0), lambda v: v)
        return torch.cat([w.detach().flatten() for w in model.parameters()]), max(sizes)

    def of_pool(most: int) -> Tensor:
        net = FlatNetwork(network(SHAPE, K))
        sizes = watched(net.model)
        found = gradient(net, net.weights(), x, torch.nn.functional.one_hot(y, K).double())
        assert max(sizes) == most
        return found

    monkeypatch.setattr(parts, "POSITIONS", 32 * 32)
    whole, pool = trained()[0], of_pool(32)
    monkeypatch.setattr(parts, "POSITIONS", 1)
    accelerator(monkeypatch, frepo_pool, net_training)
    by_parts, largest = trained()
    assert largest == OF_PASS
    assert_near(by_parts, whole, rtol=1e-9, atol=1e-12)
    assert_near(of_pool(OF_PASS), pool, rtol=1e-9, atol=1e-12)


def test_frepo_and_labels_by_experts_take_values_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddbench_methods import frepo_regression

    x, y = values(SHAPE, K, N, 1).flatten(0, 1), torch.eye(K).double().repeat_interleave(N, 0)
    student = FlatNetwork(network(SHAPE, K))

    def found() -> tuple[Tensor, Tensor]:
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(items_loss(network(SHAPE, K), values(SHAPE, K, 5, 3), leaf, y, 1e-3), leaf)
        return slope, expert_logits(student, student.weights()[None], x)

    whole = found()
    monkeypatch.setattr(parts, "POSITIONS", 1)
    accelerator(monkeypatch, frepo_regression)
    sizes = watched(student.model)
    for by_parts, at_once in zip(found(), whole, strict=True):
        assert_near(by_parts, at_once, rtol=1e-8, atol=1e-10 * float(at_once.abs().max()))
    assert max(sizes) == OF_PASS
