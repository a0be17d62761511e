"""FRePo: its regression against explicit inverses in float64, its gradients, its pool of networks, its contract."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from ddbench_methods.frepo import LABELS, Frepo, FrepoConfig
from ddbench_methods.frepo_pool import Pool
from ddbench_methods.frepo_regression import items_loss, regression_loss
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from ddbench.interfaces.network import Classifier
from ddbench.testing.method_case import Ground, walk
from ddbench.testing.methods import MethodContract

SMALL: dict[str, Any] = {
    "lr": 0.05, "lr_label": 0.05, "real_batch": 5, "pool": 2, "net_steps": 3, "net_batch": 4, "ridge": 1e-3,
}  # fmt: skip


class TestFrepo(MethodContract):
    method = "frepo"
    args: ClassVar[dict[str, Any]] = SMALL


class TestFrepoOnHardLabels(MethodContract):
    method = "frepo"
    args: ClassVar[dict[str, Any]] = {**SMALL, "soft_labels": False, "augment": False, "optimiser": "sgd"}
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((2, 16),)


class Smooth(Classifier):
    """A network with smooth features."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(6, 4), nn.Linear(4, 3)

    def embed(self, x: Tensor) -> Tensor:
        return self.first(x.flatten(1)).tanh()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def slow_loss(f_s: Tensor, y_s: Tensor, f_r: Tensor, y_r: Tensor, ridge: float) -> float:
    """The prediction of each real value by an explicit inverse, entry by entry."""
    s, r, told, true = (t.detach().numpy() for t in (f_s, f_r, y_s, y_r))
    m = len(s)
    kernel = np.array([[float(np.dot(s[i], s[j])) for j in range(m)] for i in range(m)])
    inverse = np.linalg.inv(kernel + ridge * sum(kernel[i, i] for i in range(m)) / m * np.eye(m))
    total = 0.0
    for f, y in zip(r, true):
        across = np.array([float(np.dot(f, s[i])) for i in range(m)])
        for k in range(len(y)):
            total += (y[k] - float(across @ inverse @ told[:, k])) ** 2
    return 0.5 * total / len(r)


@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 3.0])
def test_regression_is_the_slow_one_and_its_gradient_that_of_finite_differences(ridge: float) -> None:
    f_s, y_s, f_r, y_r = drawn(4, 7), drawn(4, 3, seed=1), drawn(5, 7, seed=2), drawn(5, 3, seed=3)
    found = regression_loss(f_s, y_s, f_r, y_r, ridge)
    assert float(found) == pytest.approx(slow_loss(f_s, y_s, f_r, y_r, ridge), rel=1e-9)
    f_s.requires_grad_()
    y_s.requires_grad_()
    assert torch.autograd.gradcheck(lambda f, y: regression_loss(f, y, f_r, y_r, ridge), (f_s, y_s), eps=1e-7)


def test_features_in_float32_that_are_all_but_equal_are_solved_as_in_float64() -> None:
    near = (1 + 0.3 * drawn(300, 64)).relu()
    f_s, f_r = torch.cat([near, near]), (1 + 0.3 * drawn(20, 64, seed=1)).relu()
    y_s, y_r = drawn(600, 3, seed=2), drawn(20, 3, seed=3)
    expected = float(regression_loss(f_s.float().double(), y_s, f_r.float().double(), y_r, 1e-6))
    found = regression_loss(f_s.float(), y_s.float(), f_r.float(), y_r.float(), 1e-6)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_without_ridge_items_that_are_the_real_values_predict_them() -> None:
    f, y = drawn(4, 7), drawn(4, 3, seed=1)
    assert float(regression_loss(f, y, f, y, 1e-12)) == pytest.approx(0, abs=1e-18)


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_items_loss_in_chunks_is_that_of_one_graph(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbench_methods.frepo_regression.part_of", lambda *_: chunk)
    torch.manual_seed(0)
    net = Smooth().double()
    real, x = drawn(3, 5, 6), drawn(6, 6, seed=1).requires_grad_()
    y = drawn(6, 3, seed=2).softmax(1).requires_grad_()
    found = torch.autograd.grad(items_loss(net, real, x, y, 1e-2), (x, y))
    target = torch.eye(3, dtype=torch.float64).repeat_interleave(5, 0) - 1 / 3
    whole = regression_loss(net.embed(x), y - 1 / 3, net.embed(real.flatten(0, 1)), target, 1e-2)
    assert float(items_loss(net, real, x, y, 1e-2).detach()) == pytest.approx(float(whole.detach()), rel=1e-12)
    for a, b in zip(found, torch.autograd.grad(whole, (x, y))):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_first_labels_give_the_class_its_share() -> None:
    method = Frepo(FrepoConfig.model_validate({"label_start": 0.7}))
    told = method.initial_extra(6, 3)[LABELS].softmax(1)
    assert told.argmax(1).tolist() == [0, 0, 1, 1, 2, 2]
    assert told.max(1).values.tolist() == pytest.approx([0.7] * 6)


def test_a_network_of_the_pool_trains_as_torchs_sgd_does_and_is_drawn_anew_in_time() -> None:
    config = FrepoConfig.model_validate({**SMALL, "pool": 1, "net_batch": 100, "augment": False, "momentum_net": 0.7})
    ground = Ground((1, 8, 8), "signal")
    task, state = ground.matching(Frepo(config)), {}
    pool = Pool(config, state)
    x = task.synthetic().detach().flatten(0, 1)
    y = torch.eye(3).repeat_interleave(2, 0)
    task.begin(0)
    expected = pool.take(task).train().requires_grad_()
    optimiser = torch.optim.SGD(expected.parameters(), lr=config.lr_net, momentum=0.7)
    for step in range(3):
        task.begin(step)
        pool.take(task)
        pool.train(task, x, y)
        optimiser.zero_grad()
        cross_entropy(expected(x), y).backward()
        optimiser.step()
        if step < 2:
            theta = torch.cat([p.detach().flatten() for p in expected.parameters()])
            torch.testing.assert_close(state["weights-0"], theta, rtol=1e-4, atol=1e-6)
    assert "weights-0" not in state
    task.begin(3)
    pool.take(task)
    assert int(state["age-0"]) == 0


def test_the_first_networks_are_of_different_ages() -> None:
    config = FrepoConfig.model_validate({**SMALL, "pool": 4, "net_steps": 8})
    ground = Ground((1, 8, 8), "signal")
    task, state = ground.matching(Frepo(config)), {}
    for step in range(40):
        task.begin(step)
        Pool(config, state).take(task)
    assert sorted(int(state[f"age-{i}"]) for i in range(4)) == [0, 2, 4, 6]


def test_every_item_of_several_values_has_one_label() -> None:
    method = Frepo(FrepoConfig.model_validate(SMALL))
    task = Ground((1, 8, 8), "signal").matching(method)
    y = method.labels(task, 12)  # type: ignore[arg-type]
    assert y.shape == (12, 3)
    assert torch.equal(y[0::2], y[1::2])


def test_labels_learn_too() -> None:
    ground, method = Ground((1, 8, 8), "signal"), Frepo(FrepoConfig.model_validate(SMALL))
    _, gradients = walk(ground.matching(method), method, 2)
    assert float(gradients[LABELS].abs().max()) > 0
