"""Students on probabilities: the loss by loops, together and alone, and a set that is learned both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from small_cells import small_cell
from test_students import DSA, SMALL, STREAMS, lesson, weights
from torch import Generator, Tensor

from ddbench.augment import apply, stream
from ddbench.evaluate.students import Lesson, train_students
from ddbench.evaluate.told import by_labels
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.network import fresh
from ddbench.run.cell import load_data
from ddbench.spec.cell import EvaluationProtocol


def soft_lesson(one_hot: bool = False) -> Lesson:
    hard = lesson(epochs=2)
    assert isinstance(hard.train, TensorSet)
    y = torch.nn.functional.one_hot(hard.train.y, 3).double()
    if not one_hot:
        y = torch.rand(11, 3, generator=Generator().manual_seed(4), dtype=torch.float64).softmax(1)
    return replace(hard, train=TensorSet(hard.train.x, y), labels="own")


def slow_loss(logits: Tensor, y: Tensor) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for row, label in zip(logits, y):
        scale = sum(z.exp() for z in row)
        total = total - sum(p * torch.log(z.exp() / scale) for p, z in zip(label, row))
    return total / len(logits)


@pytest.mark.parametrize("together", [False, True])
def test_students_are_trained_by_the_soft_loss(together: bool) -> None:
    task = soft_lesson()
    training, schedule = task.training, task.schedule
    for student, trained in enumerate(train_students(SMALL, 3, task, range(2), together=together)):
        model = fresh(SMALL, task.train.shape, 3, STREAMS.init(student), "cpu").double()
        opt = torch.optim.SGD(model.parameters(), lr=training.lr, momentum=0.9, weight_decay=training.weight_decay)
        draws = stream(DSA, task.train.shape, schedule.batch, STREAMS.augment(student))
        last: list[tuple[float, int]] = []
        for step, (index, draw) in enumerate(zip(STREAMS.order(student, schedule), draws)):
            if step == -(-schedule.steps // 2):
                opt = torch.optim.SGD(
                    model.parameters(), lr=0.1 * training.lr, momentum=0.9, weight_decay=training.weight_decay
                )
            x, y = task.train.batch(index)
            loss = slow_loss(model(apply(draw, x[:, None])[:, 0]), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            last.append((loss.item(), len(index)))
        torch.testing.assert_close(weights(trained.model), weights(model), rtol=1e-9, atol=1e-9)
        last = last[-schedule.epoch_steps :]
        assert trained.train_loss == pytest.approx(sum(a * n for a, n in last) / sum(n for _, n in last), rel=1e-4)


@pytest.mark.parametrize("together", [False, True])
def test_certain_labels_are_classes(together: bool) -> None:
    soft, hard = (
        train_students(SMALL, 3, t, range(2), together=together) for t in (soft_lesson(True), lesson(epochs=2))
    )
    for a, b in zip(soft, hard):
        torch.testing.assert_close(weights(a.model), weights(b.model), rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def ground() -> dict[str, Any]:
    cell = small_cell()
    data = load_data(cell)
    x, y = data.signals(torch.arange(20)), data.train.labels[:20]
    soft = torch.randn(20, 10, generator=Generator().manual_seed(1)).softmax(1)
    return {"x": x, "y": y, "soft": soft, "data": data, "protocol": cell.protocol}


def runs(ground: dict[str, Any], labels: Any = None, done: Any = (), **changed: Any) -> list[Any]:
    with_labels = {} if labels is None else {"labels": labels}
    protocol = EvaluationProtocol.model_validate({**ground["protocol"].model_dump(), **with_labels})
    found = {**ground, "protocol": protocol, **changed}
    parts = by_labels(**found, reference_items=20, seed=0, done=done)
    return [run for part in parts for run in part]


def test_a_set_with_labels_of_its_own_is_learned_both_ways(ground: dict[str, Any]) -> None:
    both = runs(ground)
    assert [(r.labels, r.column, r.student) for r in both if r.student == 0] == [
        (kind, column, 0) for kind in ("hard", "own") for column in ("equal_steps", "equal_epochs")
    ]
    hard, own = ([r for r in both if r.labels == kind] for kind in ("hard", "own"))
    assert [r.correct for r in hard] != [r.correct for r in own]
    assert runs(ground, ["hard"]) == hard == runs(ground, soft=None) == runs(ground, ["own"], soft=None)
    assert runs(ground, ["own"]) == own
    given = runs(ground, ["hard"], y=ground["soft"], soft=None)
    assert [r.train_loss for r in given] == [r.train_loss for r in own]


def test_students_that_are_done_are_not_trained_again(ground: dict[str, Any]) -> None:
    both = runs(ground)
    some = [r for i, r in enumerate(both) if i % 3]
    missing = runs(ground, done=some)
    assert sorted(missing, key=str) == sorted((r for i, r in enumerate(both) if not i % 3), key=str)
