"""Experts against a plain training loop; kept by content, resumed by expert, refused where impossible."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from ddbench_methods import mtt_experts
from ddbench_methods.mtt import TrajectoryMatching
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_experts import expert_coordinates, expert_seed, expert_weights, group_size, train_experts
from slow_match import assert_near
from torch import Generator, Tensor, nn

from ddbench import registry
from ddbench.distill.prepare import Preparation
from ddbench.errors import ArtifactError, Divergence, SpecError
from ddbench.sealed import seal
from ddbench.store import Touched, listening, read_entry, write_entry
from ddbench.testing.method_case import Ground

SMALL: dict[str, Any] = {
    "expert_epochs_total": 3, "experts": 3, "expert_batch": 10, "expert_lr": 0.1, "max_start": 1, "expert_epochs": 2,
}  # fmt: skip


def config(**more: Any) -> MttConfig:
    return MttConfig.model_validate({**SMALL, **more})


def preparation(shape: tuple[int, ...] = (2, 16), of: str = "a", on_disk: bool = True, **network: Any) -> Preparation:
    ground = Ground(shape, "signal")
    space = ground.selection().space
    plugin = registry.build("network", "auto", {"width": 8, **network})
    return Preparation(ground.data, space, plugin, {"of": of, "shape": list(shape)}, on_disk=on_disk)


def slow_expert(task: Preparation, c: MttConfig, expert: int) -> list[Tensor]:
    """Modules, an update tensor by tensor, and a list of copies."""
    model = task.network(expert_seed(task, c, expert, "weights"))
    order = Generator().manual_seed(expert_seed(task, c, expert, "order"))
    draws = task.augmentations(c.expert_batch, Generator().manual_seed(expert_seed(task, c, expert, "augment")))
    kept = [nn.utils.parameters_to_vector(model.parameters()).detach().clone()]
    for _ in range(c.expert_epochs_total):
        index = torch.randperm(len(task.labels), generator=order)
        for at in range(0, len(index), c.expert_batch):
            rows = index[at : at + c.expert_batch]
            model.zero_grad()
            nn.functional.cross_entropy(model(next(draws)(task.real(rows))), task.labels[rows]).backward()
            for p in model.parameters():
                assert p.grad is not None
                p.data = p.data - c.expert_lr * p.grad
        kept.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    return kept


@pytest.mark.parametrize("shape", [(1, 8, 8), (6,)])
def test_an_expert_is_what_a_plain_loop_trains(shape: tuple[int, ...]) -> None:
    task, c = preparation(shape), config()
    (found,) = train_experts(task, c, [1], lambda f: None)
    expected = slow_expert(task, c, 1)
    assert len(found) == len(expected) == 4
    for weights, slow in zip(found, expected):
        assert_near(weights, slow, rtol=1e-4, atol=1e-6)
    assert all(float((a - b).norm()) > 1e-3 for a, b in pairwise(found)), "every epoch has its own copy"


def test_experts_trained_together_are_those_trained_alone() -> None:
    task, c = preparation((1, 8, 8)), config()
    together = train_experts(task, c, [0, 1, 2], lambda f: None)
    for e, found in enumerate(together):
        (alone,) = train_experts(task, c, [e], lambda f: None)
        assert torch.equal(found[0], alone[0])
        assert_near(found, alone, rtol=1e-3, atol=1e-5)
    assert float((together[0] - together[1]).norm()) > 0.1


def test_networks_that_cannot_be_batched_are_trained_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert group_size(preparation((1, 8, 8)), config()) == 1
    monkeypatch.setattr(Preparation, "device", property(lambda self: torch.device("meta")))
    monkeypatch.setattr(Preparation, "network", lambda self, seed: self.match_network.build(self.shape, 3))
    assert group_size(preparation((1, 8, 8)), config()) == 3
    assert group_size(preparation((1, 8, 8), norm="batch"), config()) == 1


def test_half_precision_is_the_rounded_trajectory() -> None:
    task = preparation(on_disk=False)
    whole, half = expert_weights(task, config()), expert_weights(task, config(expert_dtype="float16"))
    assert half.dtype == torch.float16
    assert torch.equal(whole.half(), half)


def test_only_epochs_that_can_be_used_are_held() -> None:
    task = preparation(on_disk=False)
    every = expert_weights(task, config(max_start=2))
    few = expert_weights(task, config(max_start=1, expert_epochs=1))
    assert every.shape[:2] == (3, 4)
    assert few.shape[:2] == (3, 2)
    assert torch.equal(few, every[:, :2])


class Trainings:
    """Which experts were trained, one list a call; fails at the expert `fails_at`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: list[int] = []
        self.fails_at: int | None = None
        train = mtt_experts.train_experts

        def noted(task, c, which, tell):
            if self.fails_at in which:
                raise KeyboardInterrupt
            self.of += which
            return train(task, c, which, tell)

        monkeypatch.setattr(mtt_experts, "train_experts", noted)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainings:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path))
    return Trainings(monkeypatch)


def test_experts_are_trained_once_for_all_that_need_the_same(trainings: Trainings) -> None:
    first = expert_weights(preparation(), config())
    again = expert_weights(preparation(), config(lr=3.0, syn_steps=7, max_start=2, differentiate="tesla"))
    assert torch.equal(again[:, :3], first)
    expert_weights(preparation(), config(experts=4))
    assert trainings.of == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "change", [{"expert_lr": 0.2}, {"expert_batch": 9}, {"expert_seed": 1}, {"expert_dtype": "float16"}]
)
def test_other_training_is_another_expert(trainings: Trainings, change: dict[str, Any]) -> None:
    first = expert_weights(preparation(), config(experts=1))
    other = expert_weights(preparation(), config(experts=1, **change))
    assert trainings.of == [0, 0]
    assert not torch.equal(other[:, 1:].float(), first[:, 1:])


def test_another_match_space_has_other_experts(trainings: Trainings) -> None:
    first = expert_weights(preparation(of="a"), config(experts=1))
    assert not torch.equal(first, expert_weights(preparation(of="b"), config(experts=1)))
    assert trainings.of == [0, 0]


def test_interrupted_preparation_goes_on_where_it_was(trainings: Trainings) -> None:
    trainings.fails_at = 2
    with pytest.raises(KeyboardInterrupt):
        expert_weights(preparation(), config())
    trainings.fails_at = None
    expert_weights(preparation(), config())
    assert trainings.of == [0, 1, 2]


def expert_files(**more: Any) -> list[Path]:
    """Where each expert lies."""
    c = config(**more)
    task = preparation()
    return [Path(task.kept_at("experts", expert_coordinates(c, e))) for e in range(c.experts)]


def spoil(way: str, file: Path, other: Path) -> str:
    """Damages the file; gives what has to be said of it."""
    whole = file.read_bytes()
    if way == "missing":
        file.unlink()
    elif way == "half written":
        file.unlink()
        file.with_name(f".{file.name}.0123abcd.tmp").write_bytes(whole[: len(whole) // 2])
    elif way == "truncated":
        file.write_bytes(whole[:-1])
    elif way == "empty":
        file.write_bytes(b"")
    elif way == "flipped":
        file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    elif way == "not ours":
        file.write_bytes(seal({"weights": torch.zeros(4, 5)}, {}))
    elif way == "a folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(other.read_bytes())
    return {
        "missing": "", "half written": "", "truncated": "cut short", "empty": "cut short", "flipped": "damaged",
        "not ours": "does not say what", "a folder": "cannot be read",
    }.get(way, f"the entry {other.stem[:12]} under another's name")  # fmt: skip


@pytest.mark.parametrize(
    "way",
    ["missing", "half written", "truncated", "empty", "flipped", "not ours", "a folder", "another expert's",
     "another architecture's", "another data set's"],
)  # fmt: skip
def test_files_that_are_not_the_expert_are_trained_anew(trainings: Trainings, tmp_path: Path, way: str) -> None:
    whole = expert_weights(preparation(), config())
    mine = expert_files()
    others = {"another expert's": {}, "another architecture's": {"width": 9}, "another data set's": {"of": "b"}}
    if others.get(way):
        expert_weights(preparation(**{**others[way], "of": "b"}), config())
    other = next((f for f in (tmp_path / "experts").glob("*.safetensors") if f not in mine), mine[0])
    said = spoil(way, mine[1], other)
    trainings.of.clear()
    told: list[Touched] = []
    with listening(told.append):
        assert torch.equal(expert_weights(preparation(), config()), whole)
    assert trainings.of == [1]
    unsound = {(t.path, t.why) for t in told if t.kind == "unsound"}
    assert {path for path, _ in unsound} == ({mine[1]} if said else set())
    assert all(said in why for _, why in unsound)
    assert [t.path for t in told if t.kind == "found"] == [mine[0], mine[2]]
    assert not list(tmp_path.rglob("*.tmp"))
    if way != "a folder":
        trainings.of.clear()
        expert_weights(preparation(), config())
        assert not trainings.of


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (torch.full((4, 5), 1.0), r"the shape \(4, 5\); this network's experts have \(4, \d+\)"),
        (None, "holds weights that are not finite"),
        (torch.float64, r"is stored as torch\.float64; torch\.float32 was asked for"),
    ],
)
def test_a_whole_file_with_wrong_content_is_refused(trainings: Trainings, content: Any, says: str) -> None:
    """Its name and seal are right, so somebody wrote it so: it is named, and not used."""
    expert_weights(preparation(), config())
    file = expert_files()[1]
    weights = read_entry(file)
    assert weights is not None
    if content is None:
        weights["weights"][2, 3] = float("nan")
    elif isinstance(content, torch.dtype):
        weights["weights"] = weights["weights"].to(content)
    else:
        weights["weights"] = content
    write_entry(file, weights)
    trainings.of.clear()
    with pytest.raises(ArtifactError, match=f"Expert 1 .*{says}.*Delete the file {file}"):
        expert_weights(preparation(), config())
    file.unlink()
    expert_weights(preparation(), config())
    assert trainings.of == [1]


def test_an_entry_of_another_network_is_refused(trainings: Trainings) -> None:
    expert_weights(preparation(), config())
    with pytest.raises(ArtifactError, match=r"shape .* this network's experts have .* its version was not"):
        expert_weights(preparation(width=9), config())


def test_experts_that_half_precision_does_not_hold_are_named(trainings: Trainings, tmp_path: Path) -> None:
    """One update at a rate that takes weights past 65504."""
    rate = {"expert_lr": 1e8, "expert_epochs_total": 1, "expert_epochs": 1, "expert_batch": 1000, "experts": 1}
    assert bool(expert_weights(preparation(), config(**rate)).isfinite().all())
    with pytest.raises(Divergence, match=r"float16.*expert_lr"):
        expert_weights(preparation(), config(**rate, expert_dtype="float16"))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_an_expert_that_diverges_is_named_and_not_kept(trainings: Trainings, tmp_path: Path) -> None:
    with pytest.raises(Divergence, match=r"expert 0 stopped being finite in epoch 1 of 3.*expert_lr"):
        expert_weights(preparation(), config(expert_lr=1e38))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[float] = []
    task = replace(preparation(on_disk=False), tell=told.append)
    expert_weights(task, config(expert_batch=1))
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10


@pytest.mark.parametrize(("batch_syn", "refused"), [(None, False), (6, False), (7, True)])
def test_more_values_a_step_than_there_are_are_refused(batch_syn: int | None, refused: bool) -> None:
    matcher, room = TrajectoryMatching(config(batch_syn=batch_syn)), Ground((6,), "signal").room()
    if not refused:
        matcher.check(room)
        return
    with pytest.raises(SpecError, match=r"batch_syn 7 .*the set gives 6"):
        matcher.check(room)


@pytest.mark.parametrize("expert_dtype", ["float32", "float16"])
def test_the_bytes_of_experts_are_told_beforehand(trainings: Trainings, tmp_path: Path, expert_dtype: str) -> None:
    matcher = TrajectoryMatching(config(expert_dtype=expert_dtype))
    told = matcher.entries(Ground((2, 16), "signal").room())
    matcher.prepare(preparation())
    files = list(tmp_path.rglob("*.safetensors"))
    assert len(told) == len(files) == 3
    header = max(f.stat().st_size for f in files) - told[0][1]
    assert 0 < header < 400
    assert trainings.of == [0, 1, 2]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"max_start": 49, "expert_epochs": 3}, "need experts of 51 epochs; expert_epochs_total is 50"),
        ({"min_start": 5, "max_start": 5}, "min_start 5 leaves nothing below max_start 5"),
        ({"syn_steps": 0}, "greater than or equal to 1"),
        ({"differentiate": "magic"}, "'adjoint'"),
    ],
)
def test_impossible_arguments_are_refused(args: dict[str, Any], says: str) -> None:
    assert says in registry.argument_faults("method", "mtt", args)[0][1]


def test_the_last_window_that_fits_is_taken() -> None:
    assert not registry.argument_faults("method", "mtt", {"max_start": 49, "expert_epochs": 2})
