"""Students: against torch.optim written out, and together against one by one."""

from __future__ import annotations

import pytest
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ddbench.augment import apply, stream
from ddbench.evaluate.schedule import equal_epochs, equal_steps, lr_at
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Lesson, train_students
from ddbench.evaluate.together import decide, faster, possible
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.network import fresh
from ddbench.networks.auto import Auto, AutoConfig
from ddbench.networks.convnet import ConvNet, ConvNetConfig
from ddbench.networks.mlp import Mlp, MlpConfig
from ddbench.spec.cell import Training

STREAMS = StudentStreams("d", "1", 0, "auto")
MAPS = (1, 8, 8)
DSA = "color_crop_cutout_flip_scale_rotate"
SMALL = Auto(AutoConfig(width=4))


def lesson(shape=MAPS, items=11, strategy=DSA, dtype=torch.float64, wraps=False, **training):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(items, *shape, dtype=dtype, generator=generator)
    recipe = Training(**{"epochs": 4, "batch": 4, "lr": 0.05, **training})
    schedule = equal_steps(recipe, items, 6) if wraps else equal_epochs(recipe, items)
    return Lesson(TensorSet(x, torch.arange(items) % 3), recipe, schedule, STREAMS, strategy)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def by_the_book(network, lesson, student):
    """One student with torch.optim, rebuilt where the rate drops; gives the model and each update's (loss, items)."""
    training, schedule = lesson.training, lesson.schedule
    model = fresh(network, lesson.train.shape, 3, STREAMS.init(student), "cpu").double()

    def optimiser(lr):
        if training.optimiser == "adamw":
            return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=training.weight_decay)
        return torch.optim.SGD(
            model.parameters(), lr=lr, momentum=training.momentum, weight_decay=training.weight_decay
        )

    opt = optimiser(training.lr)
    draws = stream(lesson.strategy, lesson.train.shape, schedule.batch, STREAMS.augment(student))
    history = []
    for step, (index, draw) in enumerate(zip(STREAMS.order(student, schedule), draws)):
        lr = lr_at(training, step, schedule.steps)
        if training.schedule == "step" and lr != opt.param_groups[0]["lr"]:
            opt = optimiser(lr)
        opt.param_groups[0]["lr"] = lr
        x = apply(draw, lesson.train.x[index][:, None])[:, 0]
        loss = F.cross_entropy(model(x), lesson.train.y[index])
        opt.zero_grad()
        loss.backward()
        opt.step()
        history.append((loss.item(), len(index)))
    return model, history


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"optimiser": "adamw", "lr": 0.01, "weight_decay": 0.1},
        {"schedule": "cosine", "wraps": True},
        {"optimiser": "adamw", "schedule": "constant", "strategy": "", "momentum": 0.0},
    ],
)
def test_students_are_trained_by_the_book(recipe, together):
    task = lesson(**recipe)
    for student, trained in enumerate(train_students(SMALL, 3, task, range(2), together=together)):
        model, history = by_the_book(SMALL, task, student)
        # A bias before instance norm has a gradient of rounding errors only, which Adam enlarges to the size of a step.
        exact = 1e-7 if "optimiser" in recipe else 1e-10
        torch.testing.assert_close(weights(trained.model), weights(model), rtol=exact, atol=exact)
        last = history[-task.schedule.epoch_steps :]
        assert trained.train_loss == pytest.approx(sum(a * n for a, n in last) / sum(n for _, n in last), rel=1e-4)
        assert trained.steps == len(history) == task.schedule.steps


@pytest.mark.parametrize(
    ("network", "shape", "strategy"),
    [
        (SMALL, MAPS, DSA),
        (SMALL, (2, 20), "crop_cutout_scale"),
        (Mlp(MlpConfig(hidden=(6, 5))), (7,), ""),
        (ConvNet(ConvNetConfig(width=4, norm="layer", pooling="max", activation="swish")), MAPS, DSA),
        (ConvNet(ConvNetConfig(width=4, norm="none", pooling="none", activation="sigmoid")), MAPS, ""),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_together_equals_one_by_one(network, shape, strategy, dtype, tolerance):
    task = lesson(shape, strategy=strategy, dtype=dtype, epochs=3)
    assert possible(fresh(network, shape, 3, 0, "cpu"), shape, 4)
    alone = train_students(network, 3, task, range(3), together=False)
    for a, b in zip(alone, train_students(network, 3, task, range(3), together=True)):
        torch.testing.assert_close(weights(a.model), weights(b.model), rtol=tolerance, atol=tolerance)
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-3)
    assert not torch.equal(weights(alone[0].model), weights(alone[1].model))


def test_a_student_does_not_depend_on_its_company():
    task = lesson(dtype=torch.float32)
    alone = train_students(SMALL, 3, task, [2])[0]
    before = torch.get_rng_state()
    third = train_students(SMALL, 3, task, range(3))[2]
    assert torch.equal(weights(alone.model), weights(third.model))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("together", [False, True])
def test_a_student_that_diverges_stops_where_it_is(together):
    task = lesson((5,), strategy="", dtype=torch.float32, lr=1e30, epochs=30, batch=11)
    network = Mlp(MlpConfig(hidden=(4,)))
    students = train_students(network, 3, task, range(2), together=together)
    assert all(s.train_loss is None and 0 < s.steps < 5 for s in students)
    short = lesson((5,), strategy="", dtype=torch.float32, lr=1e30, epochs=30, batch=11)
    again = train_students(network, 3, short, range(2), together=together)
    assert [s.steps for s in again] == [s.steps for s in students]


@pytest.mark.parametrize("together", [False, True])
def test_one_bad_student_does_not_touch_the_others(together, monkeypatch):
    task = lesson(dtype=torch.float32)
    want = train_students(SMALL, 3, task, range(3), together=together)

    def spoilt(network, shape, n_classes, seed, device):
        model = fresh(network, shape, n_classes, seed, device)
        if seed == STREAMS.init(1):
            model.head.bias.data[0] = torch.inf
        return model

    monkeypatch.setattr("ddbench.evaluate.students.fresh", spoilt)
    got = train_students(SMALL, 3, task, range(3), together=together)
    assert (got[1].steps, got[1].train_loss) == (0, None)
    initial = spoilt(SMALL, MAPS, 3, STREAMS.init(1), "cpu")
    assert torch.equal(weights(got[1].model), weights(initial))
    for i in (0, 2):
        assert torch.equal(weights(got[i].model), weights(want[i].model))
        assert got[i].steps == task.schedule.steps


class WithDropoutConfig(MlpConfig):
    rate: float = Field(0.5, description="Dropout.")


class WithDropout(Mlp):
    Config = WithDropoutConfig

    def build(self, shape, n_classes):
        model = super().build(shape, n_classes)
        model.features.append(nn.Dropout(self.config.rate))
        return model


def test_networks_that_cannot_be_batched_are_trained_one_by_one_and_repeat():
    batch_norm = Auto(AutoConfig(width=4, norm="batch"))
    for network, shape in ((batch_norm, MAPS), (WithDropout(), (7,))):
        assert not decide(True, fresh(network, shape, 3, 0, "cpu"), 5, shape, 4)
        task = lesson(shape, strategy="", dtype=torch.float32)
        first, again = (train_students(network, 3, task, range(2), together=True) for _ in range(2))
        assert torch.equal(weights(first[1].model), weights(again[1].model))
        torch.rand(1)
    trained = train_students(batch_norm, 3, lesson(dtype=torch.float32), [0])[0].model
    assert int(trained.features[1].num_batches_tracked) == 12


def test_the_rule_for_training_together():
    small, conv = fresh(Mlp(), (30,), 3, 0, "cpu"), fresh(SMALL, MAPS, 3, 0, "cpu")
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert faster(conv, 2, cuda)
    assert faster(small, 20, cpu)
    assert not faster(small, 3, cpu)
    assert not faster(conv, 20, cpu)
    assert not decide("auto", small, 1, (30,), 4)


def test_progress_rises_to_one():
    seen = []
    network = Mlp(MlpConfig(hidden=(4,)))
    task = lesson((5,), dtype=torch.float32, epochs=50, strategy="")
    train_students(network, 3, task, range(2), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_accelerator_sees_the_same_students():
    task = lesson(epochs=3)
    cpu = train_students(SMALL, 3, task, range(2))
    moved = Lesson(task.train.to("cuda"), task.training, task.schedule, STREAMS, DSA)
    for together in (False, True):
        for a, b in zip(cpu, train_students(SMALL, 3, moved, range(2), device="cuda", together=together)):
            torch.testing.assert_close(weights(a.model), weights(b.model).cpu(), rtol=1e-6, atol=1e-6)
