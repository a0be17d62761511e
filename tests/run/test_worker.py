"""The worker: every cell ends with a result or a reason, and nothing computed is lost."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from ddbench_codecs.identity import Identity
from small_cells import small_cell, small_folder

from ddbench.datasets.tabular import BreastCancer
from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError, RunError
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.engine import Event, Job
from ddbench.run import cell as cell_module
from ddbench.run import folder as folder_module
from ddbench.run.folder import RunFolder
from ddbench.spec.cell import Choice


def run(folder: RunFolder, **options: object) -> list[Event]:
    events: list[Event] = []
    Inline().run(Job(folder.path, folder.keys(), device="cpu", **options), events.append)  # type: ignore[arg-type]
    return events


def test_bytes_in_the_result_are_those_of_the_file(tmp_path: Path):
    from safetensors.torch import load_file

    cells = [
        small_cell(method="random"),
        small_cell("downsample", "random", storage="uint8"),
        small_cell("dct", "random", storage="float16"),
        small_cell("jpeg", "random", ipc=10),
        small_cell("pca", "kmeans", ipc=20, codec_args={"components": 4}, storage="bfloat16"),
    ]
    folder = small_folder(tmp_path / "run", cells)
    run(folder)
    for cell in cells:
        result = folder.result(cell.key)
        assert result is not None
        assert result.status == "ok", result.error
        assert result.bytes is not None
        assert cell.budget is not None
        tensors = load_file(folder.cell_dir(cell.key) / "distilled.safetensors")
        assert result.bytes.used == sum(t.nbytes for t in tensors.values())
        assert result.bytes.allowed == int(cell.budget.ipc or 0) * 64 * 4 * 10
        assert result.bytes.used <= result.bytes.allowed * 1.02
        assert result.bytes.used - result.bytes.side <= result.bytes.allowed


def test_failures_are_results_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bad, oom, good = small_cell(method="herding"), small_cell(method="kcenter"), small_cell(method="random")
    folder = small_folder(tmp_path / "run", [bad, oom, good])
    genuine = cell_module.Picking.pick

    def fails(picking):
        if picking.shop.cell == bad:
            raise ZeroDivisionError("three over nothing")
        if picking.shop.cell == oom:
            raise torch.OutOfMemoryError("no room")
        return genuine(picking)

    monkeypatch.setattr(cell_module.Picking, "pick", fails)
    kinds = [e.kind for e in run(folder) if e.kind != "progress"]
    assert kinds == ["started", "failed", "started", "failed", "started", "finished"]
    first, second, third = (folder.result(c.key) for c in (bad, oom, good))
    assert first is not None
    assert first.status == "failed"
    assert first.error is not None
    assert (first.error.kind, first.error.phase) == ("ZeroDivisionError", "distil")
    assert "three over nothing" in first.error.traceback
    assert second is not None
    assert second.status == "out_of_memory"
    assert third is not None
    assert third.status == "ok"


def test_divergence_is_a_result_that_keeps_the_last_good_items(tmp_path: Path):
    from ddbench import artifact

    cell = small_cell(lr=1e30, iterations=50)
    folder = small_folder(tmp_path / "run", [cell])
    run(folder)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "diverged"
    assert result.error is not None
    assert "update" in result.error.message
    assert result.runs == ()
    kept = artifact.load(folder.cell_dir(cell.key))
    codes = kept.codes["x"]
    assert isinstance(codes, torch.Tensor)
    assert bool(codes.isfinite().all())


def test_a_dataset_of_another_revision_is_refused(tmp_path: Path):
    cell = small_cell(method="random")
    other = cell.model_copy(update={"versions": cell.versions.model_copy(update={"dataset": "elsewhere"})})
    folder = small_folder(tmp_path / "run", [other])
    run(folder)
    result = folder.result(other.key)
    assert result is not None
    assert result.error is not None
    assert "revision" in result.error.message
    assert result.error.traceback == ""


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path):
    done, waiting = small_cell(method="random"), small_cell(method="random", seed=1, epochs=6)
    folder = small_folder(tmp_path / "run", [done, waiting])
    Inline().run(Job(folder.path, [done.key], device="cpu"), lambda e: None)
    before = (folder.cell_dir(done.key) / "result.json").read_bytes()
    job = {"folder": str(folder.path), "keys": folder.keys(), "device": "cpu", "threads": 1, "checkpoint_s": 1.0}
    worker = subprocess.Popen(
        [sys.executable, "-m", "ddbench.run.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stderr is not None
    worker.stdin.write(json.dumps(job) + "\n")
    worker.stdin.flush()
    events = [Event(**json.loads(line)) for line in worker.stdout]
    assert worker.wait() == 3
    assert events[-1].kind == "lost"
    assert "could not be written" in events[-1].text
    assert "Traceback" not in worker.stderr.read()
    assert (folder.cell_dir(done.key) / "result.json").read_bytes() == before
    assert folder.state(waiting.key) == "waiting"
    assert not list(folder.path.rglob("*.tmp"))
    run(folder)
    assert folder.state(waiting.key) == "ok"


def test_an_unreadable_result_is_run_again(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    run(folder)
    file = folder.cell_dir(cell.key) / "result.json"
    good = folder.result(cell.key)
    file.write_text(file.read_text()[:500])
    assert folder.state(cell.key) == "unreadable"
    with pytest.raises(ArtifactError, match=r"result\.json"):
        folder.result(cell.key)
    run(folder)
    again = folder.result(cell.key)
    assert good is not None
    assert again is not None
    assert [r.accuracy for r in again.runs] == [r.accuracy for r in good.runs]


def test_a_claimed_cell_is_left_to_its_holder(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    with folder.claim(cell.key) as mine:
        assert mine
        holder = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from ddbench.run.folder import RunFolder\n"
                f"print(RunFolder(Path({str(folder.path)!r})).state({cell.key!r}))",
            ],
            capture_output=True,
            text=True,
        )
    assert holder.stdout.strip() == "running"
    assert folder.state(cell.key) == "waiting"


def test_a_folder_of_another_suite_or_a_file_is_refused(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    other = tmp_path / "other.yaml"
    other.write_text("ddbench: 1\n")
    with pytest.raises(RunError, match=r"'run'.*--out"):
        RunFolder.create(folder.path, "other", other, [cell])
    with pytest.raises(RunError, match="--out"):
        RunFolder.create(other, "other", other, [cell])
    with pytest.raises(RunError, match=folder_module.INDEX):
        RunFolder.open(tmp_path)


def test_an_edited_cell_file_is_refused(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    changed = cell.model_copy(update={"dataset": Choice(name="breast_cancer")})
    (folder.cell_dir(cell.key) / "cell.json").write_text(changed.model_dump_json())
    with pytest.raises(ArtifactError, match="not"):
        folder.cell(cell.key)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path):
    folder = small_folder(tmp_path / "run", [small_cell(method="random")])
    with pytest.raises(RunError, match="not usable"):
        Inline().run(Job(folder.path, folder.keys(), device="cuda:7"), lambda e: None)


def test_a_worker_ends_when_whoever_started_it_is_gone(tmp_path: Path):
    cell = small_cell(iterations=1_000_000)
    folder = small_folder(tmp_path / "run", [cell])
    job = {"folder": str(folder.path), "keys": folder.keys(), "device": "cpu", "threads": 1, "checkpoint_s": 60.0}
    worker = subprocess.Popen([sys.executable, "-m", "ddbench.run.worker"], stdin=subprocess.PIPE, text=True)
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(job) + "\n")
    worker.stdin.flush()
    for _ in range(600):
        if folder.state(cell.key) == "running":
            break
        time.sleep(0.05)
    assert folder.state(cell.key) == "running"
    worker.stdin.close()
    worker.wait(timeout=10)
    assert folder.state(cell.key) == "waiting"


def test_a_result_of_another_version_is_left_alone(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    run(folder)
    file = folder.cell_dir(cell.key) / "result.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 2', 1))
    before = file.read_bytes()
    with pytest.raises(RunError, match="version 2"):
        run(folder)
    with pytest.raises(ArtifactError, match="version 2"):
        folder.forget(cell.key)
    assert file.read_bytes() == before


def test_a_damaged_result_is_kept_under_another_name(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    run(folder)
    where = folder.cell_dir(cell.key)
    (where / "result.json").write_text("{")
    run(folder)
    assert folder.state(cell.key) == "ok"
    assert [f.read_text() for f in where.glob("result.damaged-*")] == ["{"]
    (where / "result.json").unlink()
    (where / "result.json").mkdir()
    run(folder)
    assert folder.state(cell.key) == "ok"


@pytest.mark.parametrize("damage", ["{", "{}", '{"dataset": 3}'])
def test_damaged_cell_and_index_files_are_written_anew(tmp_path: Path, damage: str):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    (folder.cell_dir(cell.key) / "cell.json").write_text(damage)
    (folder.path / folder_module.INDEX).write_text(damage)
    again = small_folder(tmp_path / "run", [cell])
    assert again.keys() == [cell.key]
    assert again.cell(cell.key) == cell


def test_a_look_at_a_folder_leaves_no_trace(tmp_path: Path):
    cell = small_cell(method="random")
    folder = small_folder(tmp_path / "run", [cell])
    before = sorted(p for p in folder.path.rglob("*"))
    assert folder.state(cell.key) == "waiting"
    assert sorted(p for p in folder.path.rglob("*")) == before


@pytest.mark.parametrize("space", ["signal", "code"])
@pytest.mark.parametrize("method", ["random", "kmeans", "dm"])
def test_codes_that_are_no_numbers_are_a_failure_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, space: str
):
    encode = Identity.encode

    def spoilt(self, x, y, shared):
        codes = encode(self, x, y, shared)["x"]
        return {"x": codes.index_fill(0, torch.tensor([3]), torch.nan)}

    monkeypatch.setattr(Identity, "encode", spoilt)
    cell = small_cell(method=method, space=space)
    folder = small_folder(tmp_path / "run", [cell])
    run(folder)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "failed"
    assert result.error is not None
    assert (result.error.kind, result.error.phase, result.error.traceback) == ("PluginError", "distil", "")
    assert "not finite" in result.error.message
    assert "dentity" in result.error.message


def test_data_that_are_no_numbers_are_a_failure_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    load = BreastCancer.load

    def spoilt(self):
        train, test = load(self)
        return Split(train.signals.index_fill(0, torch.tensor([7]), torch.nan), train.labels), test

    monkeypatch.setattr(BreastCancer, "load", spoilt)
    cell_module._load.cache_clear()
    cell = small_cell(method="random", dataset="breast_cancer")
    folder = small_folder(tmp_path / "run", [cell])
    run(folder)
    result = folder.result(cell.key)
    assert result is not None
    assert result.error is not None
    assert (result.error.kind, result.error.phase, result.error.traceback) == ("DataError", "data", "")
    assert "not finite in 1 of its" in result.error.message
    assert "index 7" in result.error.message
