"""Soft labels of MTT: where they start, and their gradient by finite differences, in float64."""

from __future__ import annotations

import pytest
import torch
from ddbench_methods.mtt import LABELS, STEP_SIZE, TrajectoryMatching
from ddbench_methods.mtt_adjoint import matching_loss
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_labels import expert_logits, mean_of_correct
from ddbench_methods.mtt_steps import draw_steps
from ddbench_methods.mtt_student import FlatNetwork
from slow_match import assert_near
from slow_mtt import SHAPES, Problem
from torch import Generator, Tensor

from ddbench.distill.task import Matching
from ddbench.testing.method_case import N_CLASSES, Ground

SMALL = {
    "syn_steps": 2, "max_start": 1, "expert_epochs": 1, "experts": 3, "expert_epochs_total": 4, "expert_batch": 8,
    "expert_lr": 0.05, "lr_teacher": 0.05, "soft_labels": True,
}  # fmt: skip


def matcher(**more: object) -> TrajectoryMatching:
    return TrajectoryMatching(MttConfig.model_validate({**SMALL, **more}))


@pytest.mark.parametrize("kind", SHAPES)
def test_gradients_of_labels_are_those_of_finite_differences(kind: str) -> None:
    problem, h = Problem(kind, steps=3, batch=4), 1e-6
    logits = torch.randn(len(problem.x), 3, generator=Generator().manual_seed(1), dtype=torch.float64)
    x, alpha = problem.leaves()
    slopes = {}
    for how in ("adjoint", "unroll"):
        z = logits.clone().requires_grad_()
        (slopes[how],) = torch.autograd.grad(matching_loss(problem.path, x, z.softmax(1), alpha, how), z)  # pyright: ignore[reportArgumentType]
    assert_near(slopes["adjoint"], slopes["unroll"], rtol=1e-9, atol=1e-13)
    assert_near(slopes["adjoint"].sum(1), torch.zeros(len(x), dtype=torch.float64), rtol=0, atol=1e-12)
    for place in slopes["adjoint"].abs().flatten().topk(3).indices.tolist():
        move = torch.zeros_like(logits)
        move.view(-1)[place] = h
        up, down = (
            float(problem.slow(problem.x, problem.alpha, _softmax(logits + sign * move), graph=False).detach())
            for sign in (1, -1)
        )
        assert float(slopes["adjoint"].flatten()[place]) == pytest.approx((up - down) / (2 * h), rel=1e-4)


def _softmax(logits: Tensor) -> Tensor:
    return torch.stack([torch.stack([z.exp() / sum(w.exp() for w in row) for z in row]) for row in logits])


@pytest.mark.parametrize("how", ["adjoint", "unroll", "tesla"])
def test_loss_on_the_frameworks_task_is_the_slow_loop_with_soft_labels(how: str) -> None:
    method, ground = matcher(differentiate=how), Ground((1, 8, 8), "signal")
    task = ground.matching(method)
    task.begin(1)
    found = method.loss(task, {})
    task.begin(1)
    problem = Problem("maps", steps=1)
    problem.model = task.network().double()
    problem.start, problem.target = (w.double() for w in method.window(task))
    x = task.synthetic().flatten(0, 1).detach().double()
    problem.steps = draw_steps(task, len(x), 2, None, task.device)
    soft = _softmax(task.extra(LABELS).detach().double())
    expected = problem.slow(x, task.extra(STEP_SIZE).detach().double(), soft)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)


def test_labels_start_as_the_mean_of_the_experts_that_are_right() -> None:
    K, draw = 4, Generator().manual_seed(0)
    logits = torch.randn(5, 12, K, generator=draw, dtype=torch.float64)
    y = torch.randint(K, (12,), generator=draw)
    for e in range(5):
        logits[e, 3, y[3]] = -9.0
    found, cases = mean_of_correct(logits, y), set()
    for b in range(12):
        right = [e for e in range(5) if max(range(K), key=lambda k, e=e, b=b: logits[e, b, k]) == int(y[b])]
        cases.add(len(right))
        who = right or range(5)
        mean = [sum(float(logits[e, b, k]) for e in who) / len(who) for k in range(K)]
        if not right:
            top = mean.index(max(mean))
            mean[top], mean[int(y[b])] = mean[int(y[b])], mean[top]
        assert found[b].tolist() == pytest.approx(mean, rel=1e-12)
    assert 0 in cases
    assert len(cases) > 2
    assert torch.equal(found.argmax(1), y), "a first label never says another class"


def test_first_labels_come_from_the_experts_ends_and_the_first_items() -> None:
    method, ground = matcher(), Ground((2, 16), "code")
    task = ground.matching(method)
    weights = task.prepared["last"]
    every = TrajectoryMatching(MttConfig.model_validate({**SMALL, "max_start": 3, "expert_epochs": 2}))
    whole = ground.matching(every).prepared["experts"]
    assert torch.equal(weights, whole[:, -1]), "the weights after the last of 4 epochs"
    task.begin(0)
    x = task.synthetic().detach().flatten(0, 1)
    student = FlatNetwork(task.network())
    expected = torch.stack([torch.cat([student(theta, x[i : i + 1]) for i in range(len(x))]) for theta in weights])
    y = torch.arange(N_CLASSES).repeat_interleave(2)
    assert_near(expert_logits(student, weights, x), expected, rtol=1e-4, atol=1e-5)
    assert_near(task.extra(LABELS).detach(), mean_of_correct(expected, y), rtol=1e-4, atol=1e-5)


def test_an_item_of_several_values_has_the_mean_of_their_logits() -> None:
    method, ground = matcher(), Ground((6,), "signal")
    task = ground.matching(method)
    two = torch.randn(3, 4, 6, generator=Generator().manual_seed(2))

    class Twice(Matching):
        def synthetic(self) -> Tensor:
            return two

    twice = Twice(**{name: getattr(task, name) for name in task.__dataclass_fields__})
    found = method.first_extra(twice)[LABELS]
    logits = expert_logits(FlatNetwork(task.network()), task.prepared["last"], two.flatten(0, 1))
    each = [[(e[2 * i] + e[2 * i + 1]) / 2 for i in range(6)] for e in logits]
    y = torch.arange(3).repeat_interleave(2)
    assert_near(found, mean_of_correct(torch.stack([torch.stack(e) for e in each]), y), rtol=1e-5, atol=1e-6)
    twice.begin(0)
    assert bool(method.loss(twice, {}).isfinite())


def test_what_suits_is_what_the_first_expert_gets_right() -> None:
    ground = Ground((1, 8, 8), "signal")
    plain, correct = matcher(soft_labels=False), matcher(soft_labels=False, first_items="correct", expert_lr=0.002)
    task = ground.matching(correct)
    preparation = ground.preparation(task.space)
    every = torch.arange(len(preparation.labels))
    x, y = preparation.real(every), preparation.labels
    assert plain.suits(preparation, {}, x, y) is None
    found = correct.suits(preparation, task.prepared, x, y)
    assert found is not None
    student = FlatNetwork(preparation.network(0))
    logits = [student(task.prepared["last"][0], x[i : i + 1])[0] for i in range(len(x))]
    assert found.tolist() == [int(z.argmax()) == int(k) for z, k in zip(logits, y)]
    assert 0 < int(found.sum()) < len(found)
