"""The file of students in training: exact, refused where it is damaged, written when it is time; seconds add up."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ddbench.errors import RunError
from ddbench.evaluate.checkpoint import State
from ddbench.run import phases, student_checkpoint
from ddbench.run.phases import Record
from ddbench.run.student_checkpoint import StudentCheckpoint

KEY = "a" * 64
CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(s=100.0)
    for module in (phases, student_checkpoint):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def state() -> State:
    weights = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    return State("those", 7, {"weights": weights, "count": torch.tensor(3), "alive": torch.tensor([True, False])})


def at(folder: Path, every_s: float = 10.0, key: str = KEY) -> StudentCheckpoint:
    return StudentCheckpoint(folder / "student.safetensors", key, every_s, Record(folder / "record.json", CPU))


def test_a_state_comes_back_exactly(tmp_path: Path):
    at(tmp_path).save(state())
    back, wanted = at(tmp_path).load(), state()
    assert back is not None
    assert (back.of, back.step) == (wanted.of, wanted.step)
    assert back.tensors.keys() == wanted.tensors.keys()
    assert all(torch.equal(back.tensors[n], t) and back.tensors[n].dtype == t.dtype for n, t in wanted.tensors.items())
    at(tmp_path).drop()
    assert at(tmp_path).load() is None
    at(tmp_path).drop()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other cell", "other content"])
def test_what_cannot_be_used_is_noted_and_removed(tmp_path: Path, damage: str):
    checkpoint = at(tmp_path)
    checkpoint.save(state())
    data = checkpoint.path.read_bytes()
    if damage == "cut":
        checkpoint.path.write_bytes(data[:-9])
    elif damage == "flip":
        checkpoint.path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    elif damage == "empty":
        checkpoint.path.write_bytes(b"")
    elif damage == "other cell":
        at(tmp_path, key="b" * 64).save(state())
    else:
        student_checkpoint.write_sealed(checkpoint.path, KEY, {}, {"step": 3})
    assert checkpoint.load() is None
    assert not checkpoint.path.exists()
    (note,) = checkpoint.record.notes
    assert "started over" in note


def test_it_is_due_when_the_last_save_or_student_is_that_long_ago(tmp_path: Path, clock: SimpleNamespace):
    checkpoint = at(tmp_path)
    assert not checkpoint.due()
    clock.s += 10
    assert checkpoint.due()
    checkpoint.save(state())
    clock.s += 9
    assert not checkpoint.due()
    checkpoint.drop()
    clock.s += 9
    assert not checkpoint.due()
    clock.s += 1
    assert checkpoint.due()


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path):
    with pytest.raises(RunError, match="could not be written"):
        at(tmp_path / "missing").save(state())


def test_seconds_of_a_killed_phase_add_up_and_are_counted_once(tmp_path: Path, clock: SimpleNamespace):
    def saved() -> dict[str, float]:
        return {p["name"]: p["seconds"] for p in json.loads((tmp_path / "record.json").read_text())["phases"]}

    def record() -> Record:
        return Record(tmp_path / "record.json", CPU)

    killed = record()
    with killed.phase("data"):
        clock.s += 1
    under_way = killed.phase("evaluate")
    under_way.__enter__()
    for _ in range(3):
        clock.s += 5
        killed.save()
    clock.s += 4  # lost: the process dies before its next checkpoint
    assert saved() == {"data": 1, "evaluate": 15}

    again = record()
    with again.phase("data"):
        clock.s += 1
    with again.phase("evaluate"):
        clock.s += 2
        again.save()
        clock.s += 2
    assert saved() == {"data": 2, "evaluate": 19}
    assert [p.name for p in again.phases.values()] == ["data", "evaluate"]


def test_seconds_that_a_checkpoint_knows_replace_those_of_the_record(tmp_path: Path, clock: SimpleNamespace):
    killed = Record(tmp_path / "record.json", CPU)
    under_way = killed.phase("distil", 0.0)
    under_way.__enter__()
    clock.s += 30
    killed.save()
    resumed = Record(tmp_path / "record.json", CPU)
    assert resumed.phases["distil"].seconds == 30
    with resumed.phase("distil", 25.0):
        clock.s += 5
    assert resumed.phases["distil"].seconds == 30


def test_peak_memory_is_the_largest_of_all_runs(tmp_path: Path):
    killed = Record(tmp_path / "record.json", CPU)
    with killed.phase("distil"):
        pass
    killed.phases["distil"] = killed.phases["distil"].model_copy(update={"host_peak_bytes": 2**50})
    killed.save()
    resumed = Record(tmp_path / "record.json", CPU)
    with resumed.phase("distil"):
        pass
    assert resumed.phases["distil"].host_peak_bytes == 2**50
