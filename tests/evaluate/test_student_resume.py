"""Students in training that are killed and go on: the same students, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from ddbench.evaluate.checkpoint import State
from ddbench.evaluate.schedule import equal_epochs, equal_steps
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Lesson, Student, train_in_parts, train_students
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.network import Network
from ddbench.networks.auto import Auto, AutoConfig
from ddbench.networks.mlp import Mlp, MlpConfig
from ddbench.spec.cell import Training

STREAMS = StudentStreams("d", "1", 0, "auto")
MAPS, FLAT = (1, 8, 8), (7,)
DSA = "color_crop_cutout_flip_scale_rotate"
SMALL = Auto(AutoConfig(width=4))
BATCH_NORM = Auto(AutoConfig(width=4, norm="batch"))
STUDENTS = 2


class WithDropout(Mlp):
    def build(self, shape, n_classes):
        model = super().build(shape, n_classes)
        model.features.append(nn.Dropout(0.5))
        return model


DROPOUT = WithDropout(MlpConfig(hidden=(6,)))


class Killed(BaseException):
    pass


class Memory:
    """A checkpoint that is due at one update and whose process dies at a later one."""

    def __init__(self, save_at: int = 0, die_at: int = 0, kept: State | None = None) -> None:
        self.save_at, self.die_at, self.kept, self.updates = save_at, die_at, kept, 0

    def load(self) -> State | None:
        return self.kept

    def due(self) -> bool:
        self.updates += 1
        if self.updates == self.die_at:
            raise Killed
        return self.updates == self.save_at

    def save(self, state: State) -> None:
        self.kept = State(state.of, state.step, {n: t.detach().cpu().clone() for n, t in state.tensors.items()})

    def drop(self) -> None:
        self.kept = None


def lesson(shape=MAPS, strategy=DSA, wraps=False, spoilt=False, **training: Any) -> Lesson:
    x = torch.randn(11, *shape, generator=torch.Generator().manual_seed(0))
    if spoilt:
        x[4] = torch.inf
    recipe = Training(**{"epochs": 4, "batch": 4, "lr": 0.05, **training})
    schedule = equal_steps(recipe, 11, 9) if wraps else equal_epochs(recipe, 11)
    return Lesson(TensorSet(x, torch.arange(11) % 3), recipe, schedule, STREAMS, strategy)


def train(network: Network, task: Lesson, together: bool, checkpoint: Memory, have: dict[int, Student]) -> None:
    """Trains who is missing in `have`, as the evaluation does."""
    missing = [i for i in range(STUDENTS) if i not in have]
    company = {"company": STUDENTS, "together": together}
    for part in train_in_parts(network, 3, task, missing, checkpoint=checkpoint, **company):
        have.update(part)
        checkpoint.drop()


def everything(student: Student) -> dict[str, Any]:
    state = {n: t.tolist() for n, t in student.model.state_dict().items()}
    return {**state, "steps": student.steps, "loss": student.train_loss}


RECIPES: dict[str, tuple[Network, dict[str, Any]]] = {
    "momentum that is reset": (SMALL, {"schedule": "step"}),
    "wrapping batches": (SMALL, {"schedule": "cosine", "wraps": True}),
    "adamw": (SMALL, {"optimiser": "adamw", "lr": 0.01, "schedule": "step"}),
    "batch norm": (BATCH_NORM, {"schedule": "constant"}),
    "dropout": (DROPOUT, {"shape": FLAT, "strategy": ""}),
    "a loss that is once infinite": (Mlp(MlpConfig(hidden=(4,))), {"shape": FLAT, "strategy": "", "spoilt": True}),
}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_killed_students_end_as_if_they_had_not_been(name: str, together: bool):
    network, recipe = RECIPES[name]
    task = lesson(**recipe)
    whole = [everything(s) for s in train_students(network, 3, task, range(STUDENTS), together=together)]
    counted = Memory()
    train(network, task, together, counted, {})
    total, steps = counted.updates, task.schedule.steps
    for save_at in {1, 5, 6, 7, 11, 12, steps, steps + 3, 2 * steps - 1} & set(range(1, total)):
        have: dict[int, Student] = {}
        broken = Memory(save_at, min(save_at + 3, total))
        with pytest.raises(Killed):
            train(network, task, together, broken, have)
        assert len(have) == (0 if total == steps else broken.die_at // (steps + 1))
        resumed = Memory(kept=broken.kept)
        train(network, task, together, resumed, have)
        assert [everything(have[i]) for i in range(STUDENTS)] == whole
        if broken.kept:
            assert resumed.updates == total - save_at, "the students started over"


def test_killed_again_and_again():
    task = lesson()
    whole = [everything(s) for s in train_students(SMALL, 3, task, range(STUDENTS))]
    have: dict[int, Student] = {}
    kept, lives = None, 0
    while len(have) < STUDENTS:
        life = Memory(save_at=2, die_at=3, kept=kept)
        lives += 1
        try:
            train(SMALL, task, False, life, have)
        except Killed:
            kept = life.kept
    assert lives >= task.schedule.steps - 1
    assert [everything(have[i]) for i in range(STUDENTS)] == whole


@pytest.mark.parametrize("change", ["recipe", "seed", "strategy", "network", "student", "shape", "generators"])
def test_a_state_of_others_is_left_alone(change: str):
    broken = Memory(3, 5)
    with pytest.raises(Killed):
        train(SMALL, lesson(), False, broken, {})
    assert broken.kept is not None
    network, task, have = SMALL, lesson(), {}
    if change == "recipe":
        task = lesson(lr=0.06)
    elif change == "seed":
        task = replace(task, streams=replace(STREAMS, seed=1))
    elif change == "strategy":
        task = replace(task, strategy="flip")
    elif change == "network":
        network = Auto(AutoConfig(width=4, norm="layer"))
    elif change == "student":
        have = {0: train_students(network, 3, task, [0])[0]}
    else:
        tensors = dict(broken.kept.tensors)
        if change == "shape":
            tensors["weights"] = tensors["weights"][:, 1:]
        else:
            del tensors["noise/cpu"]
        broken.kept = replace(broken.kept, tensors=tensors)
    whole = [everything(s) for s in train_students(network, 3, task, range(STUDENTS))]
    resumed = Memory(kept=broken.kept)
    train(network, task, False, resumed, have)
    assert resumed.updates == task.schedule.steps * (1 if change == "student" else 2)
    assert [everything(have[i]) for i in range(STUDENTS)] == whole


def test_the_generators_of_the_process_are_left_as_they_were():
    task, broken = lesson(**RECIPES["dropout"][1]), Memory(3, 5)
    before = torch.get_rng_state()
    with pytest.raises(Killed):
        train(DROPOUT, task, False, broken, {})
    train(DROPOUT, task, False, Memory(kept=broken.kept), {})
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("together", [False, True])
def test_students_on_an_accelerator_go_on(together: bool):
    network, recipe = (SMALL, {}) if together else (DROPOUT, RECIPES["dropout"][1])
    task = lesson(**recipe)
    task = replace(task, train=task.train.to("cuda"))
    options: dict[str, Any] = {"device": "cuda", "together": together}
    whole = train_students(network, 3, task, range(STUDENTS), **options)
    broken = Memory(5, 7)
    with pytest.raises(Killed):
        list(train_in_parts(network, 3, task, range(STUDENTS), checkpoint=broken, **options))
    resumed = Memory(kept=broken.kept)
    parts = list(train_in_parts(network, 3, task, range(STUDENTS), checkpoint=resumed, **options))
    for part in parts:
        for index, student in part.items():
            for a, b in zip(student.model.parameters(), whole[index].model.parameters()):
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert resumed.updates == task.schedule.steps * (1 if together else 2) - 5
