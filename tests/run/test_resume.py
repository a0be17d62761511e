"""A killed run goes on: same result, bit for bit, and nothing done twice."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_cells import outcome, small_cell, small_folder

from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError
from ddbench.evaluate import evaluation
from ddbench.evaluate.checkpoint import Holder
from ddbench.interfaces.engine import Event, Job
from ddbench.result.schema import Result
from ddbench.run.folder import RunFolder
from ddbench.sealed import read_sealed


def start(folder: RunFolder, checkpoint_s: float = 0.0) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "ddbench.run.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    job = {
        "folder": str(folder.path),
        "keys": folder.keys(),
        "device": "cpu",
        "threads": 1,
        "checkpoint_s": checkpoint_s,
    }
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(job) + "\n")
    worker.stdin.flush()
    return worker


def kill_when(worker: subprocess.Popen[str], phase: str, at_least: float) -> float:
    """Kills the worker (signal 9) once it reports that much of a phase; returns the fraction it had reached."""
    assert worker.stdout is not None
    for line in worker.stdout:
        event = Event(**json.loads(line))
        if event.kind == "progress" and event.text == phase and event.fraction >= at_least:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            return event.fraction
    raise AssertionError(f"the worker ended before it reached {phase}")


def finish(folder: RunFolder) -> list[Event]:
    events: list[Event] = []
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), events.append)
    return events


def kill_in_second_student(folder: RunFolder, key: str) -> list[dict[str, object]]:
    """Kills a worker when one student is recorded and the next one has a checkpoint; gives the recorded runs."""
    where, first = folder.cell_dir(key), ""
    worker = start(folder)
    while worker.poll() is None:
        recorded = (where / "students.json").exists()
        with contextlib.suppress(ArtifactError):
            found = read_sealed(where / "student.safetensors", key)
            if found and not recorded:
                first = found[1]["of"]
            elif found and found[1]["of"] != first:
                break
        time.sleep(0.001)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert worker.stdin
    assert worker.stdout
    worker.stdin.close()
    worker.stdout.close()
    assert not (where / "result.json").exists(), "the worker was done before it could be killed"
    return json.loads((where / "students.json").read_text())


def test_a_run_killed_within_a_student_goes_on_within_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cell = small_cell("downsample", "random", epochs=60)
    whole = small_folder(tmp_path / "whole", [cell])
    finish(whole)
    broken = small_folder(tmp_path / "broken", [cell])
    where = broken.cell_dir(cell.key)
    kept = kill_in_second_student(broken, cell.key)
    seconds_before = {p["name"]: p["seconds"] for p in json.loads((where / "record.json").read_text())["phases"]}
    assert seconds_before["evaluate"] > 0

    asked: list[list[int]] = []
    begun: list[int] = []
    train, put_back = evaluation.train_in_parts, Holder.put_back

    def spy(network, n_classes, lesson, indices, **options):
        asked.append(list(indices))
        return train(network, n_classes, lesson, indices, **options)

    def spy_on_state(holder, state):
        begun.append(put_back(holder, state))
        return begun[-1]

    monkeypatch.setattr(evaluation, "train_in_parts", spy)
    monkeypatch.setattr(Holder, "put_back", spy_on_state)
    finish(broken)
    assert len({(r["column"], r["student"]) for r in kept}) == len(kept)
    assert 0 < len(kept) < 4
    assert sum(len(students) for students in asked) == 4 - len(kept), "a recorded student was trained again"
    assert begun[0] > 0, "the student that was in training started over"
    assert begun[1:] == [0] * (len(begun) - 1)
    assert not (where / "student.safetensors").exists()
    one, other = whole.result(cell.key), broken.result(cell.key)
    assert one is not None
    assert other is not None
    assert outcome(one) == outcome(other)
    assert {p.name: p.seconds for p in other.phases}["evaluate"] > seconds_before["evaluate"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Result]:
    """A folder whose one cell was killed while distilling, and the result that it would have had."""
    cell = small_cell("downsample", iterations=400)
    whole = small_folder(tmp_path_factory.mktemp("whole") / "run", [cell])
    finish(whole)
    result = whole.result(cell.key)
    assert result is not None
    broken = small_folder(tmp_path_factory.mktemp("broken") / "run", [cell])
    reached = kill_when(start(broken), "distil", 0.05)
    assert 0 < reached < 1
    return broken, result


def copy_of(folder: RunFolder, to: Path) -> tuple[RunFolder, str, Path]:
    shutil.copytree(folder.path, to)
    own = RunFolder.open(to)
    (key,) = own.keys()
    return own, key, own.cell_dir(key)


def test_a_run_killed_while_distilling_ends_as_if_it_had_not_been(tmp_path: Path, killed: tuple[RunFolder, Result]):
    folder, key, where = copy_of(killed[0], tmp_path / "run")
    assert (where / "checkpoint.safetensors").exists()
    assert not (where / "result.json").exists()
    assert folder.state(key) == "waiting"
    fractions = [e.fraction for e in finish(folder) if e.text == "distil"]
    assert fractions[1] >= 0.04, "the run started over instead of resuming"
    result = folder.result(key)
    assert result is not None
    assert outcome(result) == outcome(killed[1])


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_checkpoint_costs_time_and_not_the_result(
    tmp_path: Path, killed: tuple[RunFolder, Result], damage: str
):
    folder, key, where = copy_of(killed[0], tmp_path / "run")
    checkpoint = where / "checkpoint.safetensors"
    data = bytearray(checkpoint.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[-5] ^= 64
    elif damage == "empty":
        data = bytearray()
    else:
        data = bytearray(b"\x80\x04N." * 100)
    checkpoint.write_bytes(data)
    finish(folder)
    result = folder.result(key)
    assert result is not None
    assert result.status == "ok"
    assert any("started over" in note for note in result.notes)
    assert outcome(result) == outcome(killed[1])


def test_a_damaged_set_of_a_killed_run_is_made_anew(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    finish(folder)
    where = folder.cell_dir(cell.key)
    first = folder.result(cell.key)
    (where / "result.json").unlink()
    tensors = bytearray((where / "distilled.safetensors").read_bytes())
    tensors[-1] ^= 1
    (where / "distilled.safetensors").write_bytes(tensors)
    finish(folder)
    again = folder.result(cell.key)
    assert first is not None
    assert again is not None
    assert any("made anew" in note for note in again.notes)
    assert outcome(first) == outcome(again)


def test_finished_cells_are_not_run_again(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    finish(folder)
    before = (folder.cell_dir(cell.key) / "result.json").read_bytes()
    assert [e.kind for e in finish(folder)] == ["skipped"]
    assert (folder.cell_dir(cell.key) / "result.json").read_bytes() == before


def test_results_do_not_depend_on_the_cells_run_before(tmp_path: Path):
    cells = [
        small_cell("pca", ipc=20, codec_args={"components": 4}),
        small_cell("identity"),
        small_cell(method="herding"),
    ]
    together = small_folder(tmp_path / "together", cells)
    finish(together)
    alone = small_folder(tmp_path / "alone", cells[1:2])
    finish(alone)
    one, other = together.result(cells[1].key), alone.result(cells[1].key)
    assert one is not None
    assert other is not None
    assert outcome(one) == outcome(other)
