"""The benchmark's two sides compute the same thing, and its script runs to the end on every subject."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import deep
import pytest
import speed
import torch
from case import CLASSES, SHAPE, Case, subjects
from child import measure
from ddbench_methods.class_gradients import class_gradients
from ddbench_methods.dm import class_means
from ddbench_methods.dm import matching_loss as dm_loss
from ddbench_methods.gradient_matching import matching_loss as dc_loss
from ddbench_methods.mtt_adjoint import Trajectory
from ddbench_methods.mtt_adjoint import matching_loss as mtt_loss
from ddbench_methods.mtt_steps import Step
from ddbench_methods.mtt_student import FlatNetwork
from plain import matching as plain
from plain import training as plain_training
from plain.net import like
from sides import Ground
from torch import Generator, Tensor

from ddbench.engines.local import ALLOCATOR
from ddbench.evaluate.schedule import equal_epochs
from ddbench.evaluate.scoring import correct
from ddbench.evaluate.students import Lesson, train_students
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.network import fresh
from ddbench.interfaces.signal import SignalSpec
from ddbench.spec.cell import Training

TOY: dict[str, Any] = {"width": 4, "real_batch": 6, "n": 2, "steps": 2, "images": 20}
SUBJECTS = ("dm", "dc", "mtt", "latent", "encode", "decode", "experts", "students", "test")
DEEP: dict[str, dict[str, Any]] = {
    "latent": {"size": 32, "more": 2, "real_batch": 2, "n": 1},
    "encode": {"channels": 3, "size": 16, "stage": 4, "images": 3},
    "decode": {"channels": 3, "size": 16, "stage": 4, "real_batch": 2, "n": 1},
}


def toy(subject: str, **more: Any) -> Ground:
    return Ground(Case(subject, **{**TOY, **DEEP.get(subject, {}), **more}))


def nets(ground: Ground) -> tuple[Any, Any]:
    """(ddbench's, plain) network with the same weights, in float64."""
    model = fresh(ground.network, SHAPE, CLASSES, 0, "cpu").double()
    return model, like(model, SHAPE, CLASSES, ground.case.width)


def near(a: Tensor, b: Tensor, tolerance: float = 1e-9) -> bool:
    return float((a - b).abs().max()) <= tolerance * max(float(b.abs().max()), 1e-6)


@pytest.mark.parametrize("subject", ["dm", "dc"])
def test_matching_losses_and_gradients_of_both_sides_are_equal(subject: str) -> None:
    ground = toy(subject)
    model, net = nets(ground)
    real = ground.images(6, 1)[0].double().unflatten(0, (CLASSES, 6))
    ours, theirs = (ground.items().double().requires_grad_() for _ in range(2))
    by_class = ours.unflatten(0, (CLASSES, -1))
    if subject == "dm":
        found = dm_loss(model.requires_grad_(False), class_means(model, real, 4), by_class)
        expected = plain.dm_loss(net, list(real), theirs, "", 0)
    else:
        found = dc_loss(model, real, by_class, "ours")
        expected = plain.dc_loss(net, list(real), theirs, "", 0)
    assert near(found.detach(), expected.detach())
    (a,), (b,) = torch.autograd.grad(found, ours), torch.autograd.grad(expected, theirs)
    assert float(b.abs().max()) > 0
    assert near(a, b, 1e-7)


@pytest.mark.parametrize("how", ["adjoint", "unroll"])
def test_trajectories_of_both_sides_are_equal(how: Any) -> None:
    ground, steps = toy("mtt"), 3
    model, net = nets(ground)
    student = FlatNetwork(model)
    start, target = (w.double() for w in ground.way(student.size))
    y = torch.arange(CLASSES).repeat_interleave(2)
    leaves = [[ground.items().double().requires_grad_(), torch.tensor(0.05).double().requires_grad_()] for _ in "ab"]
    draws = Generator().manual_seed(7)
    orders = [torch.randperm(len(y), generator=draws) for _ in range(steps)]
    path = Trajectory(student, start, target, [Step(rows, lambda x: x, 0) for rows in orders])
    found = mtt_loss(path, leaves[0][0], y, leaves[0][1], how)
    expected = plain.mtt_loss(net, start, target, leaves[1][0], y, leaves[1][1], steps, "", 7)
    assert near(found.detach(), expected.detach())
    for a, b in zip(torch.autograd.grad(found, leaves[0]), torch.autograd.grad(expected, leaves[1])):
        assert near(a, b, 1e-7)


def test_students_of_both_sides_take_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one batch of all items a pass the order does not matter: the same weights after three updates."""
    ground = toy("students")
    x, y = ground.images(2, 3)
    model = fresh(ground.network, SHAPE, CLASSES, 11, "cpu").double()
    net = like(model, SHAPE, CLASSES, ground.case.width)
    training = Training(epochs=3, schedule="constant")
    train = TensorSet(x.double(), y)
    streams: Any = SimpleNamespace(
        init=lambda i: 11, noise=lambda i: 0, augment=lambda i: Generator(),
        order=lambda i, schedule, device: [torch.arange(len(y))] * schedule.steps,
    )  # fmt: skip
    weights = _trained(ground, Lesson(train, training, equal_epochs(training, len(y)), streams), monkeypatch)
    plain_training.train(net, x.double(), y, 3, 256, 0.01, "", 0, 0.9, 5e-4)
    for a, b in zip(weights, net.parameters(), strict=True):
        assert near(a, b.detach(), 1e-7)


def _trained(ground: Ground, lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    monkeypatch.setattr("ddbench.evaluate.students._name", lambda *_: "one")  # the made-up streams have no name
    (student,) = train_students(ground.network, CLASSES, lesson, [0])
    return [p.detach() for p in student.model.parameters()]


def test_the_test_pass_of_both_sides_finds_the_same_items_right() -> None:
    ground = toy("test", images=300)
    x, y = ground.images(30, 2)
    model, net = nets(ground)
    found = correct([model.float()], Split(x, y), SignalSpec(SHAPE, (0.0,), (1.0,)))
    assert torch.equal(found[0], plain_training.test(net.float(), x, y, 256))


def test_real_gradients_of_a_class_are_those_of_one_whole_batch() -> None:
    ground = toy("dc")
    model, net = nets(ground)
    x = ground.images(6, 1)[0].double()[:6]
    y = torch.zeros(1, dtype=torch.long)
    found = class_gradients(model, dict(model.named_parameters()), x[None], y, 1, keep_graph=False)
    expected = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), y.expand(6)), list(net.parameters()))
    assert all(near(a[0], b, 1e-7) for a, b in zip(found, expected))


def test_latents_are_dm_on_smaller_pictures_and_more_of_them() -> None:
    case = toy("latent").case
    assert (deep.pixels(case).shape, deep.codes(case).shape) == ((3, 32, 32), (4, 4, 4))
    assert deep.codes(replace(case, more=48)).n == 48
    assert 48 * 4 * 4 * 4 == 3 * 32 * 32, "as many bytes"
    (_, plain), (_, codes) = deep.plain_latent(case)(), deep.ddbench_latent(case)()
    assert plain.shape == (CLASSES, 3, 32, 32)
    (grad,) = codes.values()
    assert grad.shape == (2 * CLASSES, 4, 4, 4)
    (_, tuned) = deep.plain_latent(replace(case, tuned=True))()
    assert {name: g.shape for name, g in tuned.items()} == {"x": (CLASSES, 3, 32, 32)}


def test_encoding_and_decoding_in_parts_give_what_they_give_whole() -> None:
    case = toy("encode").case
    one, whole = (torch.cat(deep.encoding(case, at_once)()) for at_once in (False, True))
    assert one.shape == (3, 4, 2, 2)
    assert near(one, whole, 1e-4)
    case = toy("decode").case
    (loss, grad), (expected_loss, expected) = deep.decoding(case, 1)(), deep.decoding(case, None)()
    assert float(expected.abs().max()) > 0
    assert near(loss, expected_loss, 1e-4)
    assert near(grad, expected, 1e-3)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("side", ["plain", "ddbench"])
def test_every_subject_is_measured(subject: str, side: str) -> None:
    found = measure(side, toy(subject).case, warm=0, repeats=2, peak=subject == "dm")
    assert len(found["wall_s"]) == len(found["cpu_s"]) == 2
    assert min(found["wall_s"]) > 0
    if subject == "dm":
        assert found["flop"] > 10 * 6 * 2 * 4 * 9 * 32 * 32
        assert found["matmul_flop_s"] > 1e8


def test_figures_are_medians_over_rounds_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([3.0, 1.0, 8.0, 2.0, 2.0, 1.0, 5.0])

    def run(side: str, case: Case, warm: int, repeats: int, threads: int, peak: bool = False) -> dict[str, Any]:
        s = next(seconds)
        found = {"wall_s": [s, s, 9 * s], "cpu_s": [s], "above_base_bytes": 300 if case.n == 3 else 100}
        return found | ({"flop": 10, "matmul_flop_s": 20.0} if peak else {})

    monkeypatch.setattr(speed, "run", run)
    small = replace(subjects()["dm"][0], case=toy("dm").case, lone=(toy("dm", n=3).case,))
    out = tmp_path / "figures.json"
    speed.main(["dm", "--rounds", "3", "--out", str(out)], {"dm": [small]})
    written = json.loads(out.read_text())
    (row,) = written["rows"]
    assert row["wall_s"] == {"plain": 3.0, "ddbench": 1.0, "ratio": 3.0, "least": 2.0, "most": 4.0}
    assert row["alone"][0]["memory_growth"] == 3
    assert (row["recipe_s"], row["of_matmul_peak"]) == (20_000, 0.5)
    assert {"commit", "processor", "torch"} <= written["machine"].keys()
    assert "ratio 3.00 [2.00, 4.00] (asked: 2.00)" in capsys.readouterr().out


def test_a_side_runs_in_a_process_of_its_own() -> None:
    found = speed.run("ddbench", toy("test").case, 0, 1, 1)
    assert found["wall_s"][0] > 0


def test_a_side_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text("raise ValueError('no such subject')")
    monkeypatch.setattr(speed, "HERE", tmp_path)
    with pytest.raises(SystemExit, match="no such subject"):
        speed.run("ddbench", toy("test").case, 0, 1, 1)


def test_only_ddbenchs_side_has_its_workers_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    assert not ALLOCATOR.keys() & speed.environment("plain", 1).keys()
    assert ALLOCATOR.items() <= speed.environment("ddbench", 1).items()


def test_a_device_that_is_not_there_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["dm", "--device", "cuda:99"])
    assert "'cuda:99' is not usable here" in capsys.readouterr().err
