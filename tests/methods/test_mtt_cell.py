"""MTT from cell to result: its own phase, its charged step size, students trained at it where they see what it saw."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from ddbench_methods import mtt_experts
from ddbench_methods.mtt import STEP_SIZE, TrajectoryMatching
from small_cells import choice, outcome, small_cell, small_folder

from ddbench.artifact import load
from ddbench.cli.main import execute
from ddbench.engines.inline import Inline
from ddbench.evaluate import TensorSet, evaluate
from ddbench.interfaces.engine import Event, Job
from ddbench.result.schema import Result
from ddbench.run.cell import load_data
from ddbench.spec.cell import Cell, Training
from ddbench.store import read_entry, write_entry

MTT: dict[str, Any] = {
    "iterations": 4, "lr": 1.0, "lr_lr": 1e-3, "lr_teacher": 0.05, "syn_steps": 2, "max_start": 1, "expert_epochs": 1,
    "experts": 2, "expert_epochs_total": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def cell(seed: int = 0, students: tuple[Any, ...] = (), **more: Any) -> Cell:
    made = small_cell(method="mtt", seed=seed, **{**MTT, **more})
    if not students:
        return made
    networks = tuple(choice("network", "auto", width=w) for w in students)
    versions = made.versions.model_copy(update={"students": ("1",) * len(networks)})
    protocol = made.protocol.model_copy(update={"networks": networks})
    return made.model_copy(update={"protocol": protocol, "versions": versions})


def run(path: Path, *cells: Cell) -> tuple[list[Result], list[Event]]:
    folder, events = small_folder(path, list(cells)), []
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), events.append)
    found = [folder.result(c.key) for c in cells]
    return [r for r in found if r is not None], events


def test_the_step_size_is_stored_charged_and_used(tmp_path: Path) -> None:
    mine = cell(students=(8, 6), storage="float16")
    (result,), events = run(tmp_path / "run", mine)
    assert result.status == "ok", result.error
    assert result.bytes is not None
    assert (result.bytes.parts[f"set/{STEP_SIZE}"], result.bytes.side) == (4, 4)
    assert [p.name for p in result.phases if p.name in ("prepare", "distil")] == ["prepare", "distil"]
    assert any(e.text == "prepare" for e in events)

    stored = load(small_folder(tmp_path / "run", [mine]).cell_dir(mine.key))
    alpha = stored.codes[STEP_SIZE]
    assert isinstance(alpha, torch.Tensor)
    assert alpha.dtype == torch.float32
    assert float(alpha) != pytest.approx(0.05, rel=1e-6), "it was learned"
    assert any(f"lr {float(alpha):.6g}" in note for note in result.notes)

    x, y = stored.decode()
    at = mine.protocol.model_copy(update={"lr": float(alpha)})
    reference = {8: at, 6: mine.protocol}
    for width, protocol in reference.items():
        alone = protocol.model_copy(update={"networks": (choice("network", "auto", width=width),)})
        expected = [r for g in evaluate(TensorSet(x, y), load_data(mine), alone, reference_items=20, seed=0) for r in g]
        found = [r for r in result.runs if str(width) in r.network]
        assert [(r.accuracy, r.correct, r.train_loss) for r in found] == [
            (r.accuracy, r.correct, r.train_loss) for r in expected
        ]


def test_other_students_keep_the_protocols_rate(tmp_path: Path) -> None:
    """In code space students see signals, not what the match networks saw."""
    results, _ = run(tmp_path / "run", cell(space="code"), cell(students=(6,)))
    for result in results:
        assert result.status == "ok", result.error
        assert not any("brings along" in note for note in result.notes)


def test_cells_of_all_seeds_share_their_experts(tmp_path: Path, cache: Path) -> None:
    results, _ = run(tmp_path / "run", cell(0), cell(1), cell(0, iterations=5, ipc=3))
    assert [r.status for r in results] == ["ok"] * 3
    assert len(list((cache / "experts").glob("*.safetensors"))) == 2
    run(tmp_path / "other", cell(0, space="code"))
    assert len(list((cache / "experts").glob("*.safetensors"))) == 4


def test_experts_from_the_cache_give_the_same_result(tmp_path: Path) -> None:
    (first,), _ = run(tmp_path / "first", cell())
    (again,), _ = run(tmp_path / "again", cell())
    assert outcome(first) == outcome(again)
    assert os.listdir(tmp_path / "cache" / "experts")


def test_a_set_with_too_few_items_fails_with_the_reason(tmp_path: Path, cache: Path) -> None:
    (result,), _ = run(tmp_path / "run", cell(batch_syn=21))
    assert (result.status, result.error and result.error.phase) == ("failed", "prepare")
    assert result.error is not None
    assert "batch_syn 21" in result.error.message
    assert not result.error.traceback
    assert not (cache / "experts").exists()


MISTAKES = """
ddbench: 1
name: wrong
grid:
  - datasets: digits
    codecs: identity
    methods:
      - random
      - mtt: {batch_syn: 21}
      - mtt: {max_start: 50}
      - mtt: {min_start: 3, max_start: 3}
    budgets: [{ipc: 2}, {ipc: 3}]
"""


def test_plans_name_the_line_of_what_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(MISTAKES)
    for command in ("plan", "run", "validate", "prepare"):
        assert execute([command, str(file)]) == 2
        said = "".join(capsys.readouterr())
        lines = [line.split(f"{file}:")[-1] for line in said.splitlines() if f"{file}:" in line]
        assert len(lines) == 3
        assert lines[0].startswith("9: identity × mtt on digits at 2 ipc: batch_syn 21 asks for more")
        assert "the set gives 20." in lines[0]
        assert lines[1].startswith("10: method 'mtt': a start at epoch 49 (max_start 50) and expert_epochs 2 need")
        assert lines[2].startswith("11: method 'mtt': starts are drawn from min_start to max_start - 1")
    assert not (tmp_path / "cache").exists()


def test_the_seconds_of_a_killed_preparation_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, train, trained = cell(), mtt_experts.train_experts, []

    def slow(task: Any, config: Any, which: list[int], tell: Any) -> Any:
        if len(trained) == 1:
            raise KeyboardInterrupt  # as a kill would: nothing more is written
        trained.extend(which)
        time.sleep(0.3)
        return train(task, config, which, tell)

    folder = small_folder(tmp_path / "run", [mine])
    job = Job(folder.path, folder.keys(), device="cpu", checkpoint_s=1e-9)
    monkeypatch.setattr(mtt_experts, "train_experts", slow)
    with pytest.raises(KeyboardInterrupt):
        Inline().run(job, lambda event: None)
    record = json.loads((folder.cell_dir(mine.key) / "record.json").read_text())
    (before_s,) = [p["seconds"] for p in record["phases"] if p["name"] == "prepare"]
    assert before_s >= 0.3
    monkeypatch.setattr(mtt_experts, "train_experts", train)
    Inline().run(job, lambda event: None)
    result = folder.result(mine.key)
    assert result is not None
    assert result.status == "ok"
    (in_all_s,) = [p.seconds for p in result.phases if p.name == "prepare"]
    assert in_all_s >= before_s


def test_an_expert_that_is_none_is_a_failure_that_names_its_file(tmp_path: Path, cache: Path) -> None:
    run(tmp_path / "first", cell())
    file = min((cache / "experts").glob("*.safetensors"))
    tensors = read_entry(file)
    assert tensors is not None
    tensors["weights"][0, 0] = float("inf")
    write_entry(file, tensors)
    (result,), _ = run(tmp_path / "again", cell())
    assert result.status == "failed"
    assert result.error is not None
    assert (result.error.kind, result.error.phase, result.error.traceback) == ("ArtifactError", "prepare", "")
    assert "holds weights that are not finite" in result.error.message
    assert f"Delete the file {file}" in result.error.message
    file.unlink()
    (result,), _ = run(tmp_path / "third", cell())
    assert result.status == "ok"


def test_an_experts_file_of_another_is_made_anew_and_noted(tmp_path: Path, cache: Path) -> None:
    """Swapped for an expert of another data set: the same shapes, whole files."""
    (first,), _ = run(tmp_path / "first", cell())
    mine = sorted((cache / "experts").glob("*.safetensors"))
    run(tmp_path / "other", cell(expert_seed=1))
    other = next(f for f in sorted((cache / "experts").glob("*.safetensors")) if f not in mine)
    mine[0].write_bytes(other.read_bytes())
    (again,), _ = run(tmp_path / "again", cell())
    assert outcome(again) == outcome(first)
    (note,) = [n for n in again.notes if "made anew" in n]
    assert f"experts/{mine[0].name} was made anew: it is the entry {other.stem[:12]}" in note


@pytest.mark.parametrize(("alpha", "expected"), [(0.02, {"lr": pytest.approx(0.02)}), (0.0, {}), (-0.1, {})])
def test_a_step_size_that_is_no_rate_is_not_used(alpha: float, expected: dict[str, float]) -> None:
    assert TrajectoryMatching().recipe({STEP_SIZE: torch.tensor(alpha)}) == expected


def test_a_recipe_of_its_own_touches_one_network_only() -> None:
    mine = cell(students=(8, 6))
    data = load_data(mine)
    train = TensorSet(data.signals(torch.arange(20)), data.train.labels[:20])
    own = Training(epochs=3, lr=0.2)

    def scores(protocol: Any, **more: Any) -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {}
        for runs in evaluate(train, data, protocol, reference_items=20, seed=0, **more):
            for r in runs:
                found.setdefault(r.network, []).append((r.steps, r.correct))
        return found

    plain, mixed = scores(mine.protocol), scores(mine.protocol, own=(mine.protocol.networks[0], own))
    all_own = scores(mine.protocol.model_copy(update={"epochs": 3, "lr": 0.2}))
    first, second = plain
    assert mixed[first] == all_own[first] != plain[first]
    assert mixed[second] == plain[second]
