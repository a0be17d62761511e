"""Every registered engine keeps one contract: each cell ends with one result, failures included."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from small_cells import outcome, small_cell, small_folder

from ddbench import registry
from ddbench.engines.local import Local, slot_devices
from ddbench.errors import RunError
from ddbench.interfaces.engine import Event, Job
from ddbench.run.folder import RunFolder


@pytest.mark.parametrize("name", registry.names("engine"))
def test_every_engine_brings_each_cell_to_one_result(tmp_path: Path, name: str):
    cells = [small_cell(method="random"), small_cell("downsample", "herding"), small_cell(method="full")]
    folder = small_folder(tmp_path / "run", cells)
    events: list[Event] = []
    registry.build("engine", name).run(Job(folder.path, folder.keys(), device="cpu"), events.append)
    assert sorted(e.key for e in events if e.kind == "finished") == sorted(c.key for c in cells)
    assert [folder.state(c.key) for c in cells] == ["ok"] * 3
    again: list[Event] = []
    registry.build("engine", name).run(Job(folder.path, folder.keys(), device="cpu"), again.append)
    assert {e.kind for e in again} == {"skipped"}


def test_engines_agree_bit_for_bit(tmp_path: Path):
    cell = small_cell("dct")
    results = []
    for name in ("inline", "local"):
        folder = small_folder(tmp_path / name / "run", [cell]) if (tmp_path / name).mkdir() is None else None
        assert folder is not None
        registry.build("engine", name).run(Job(folder.path, folder.keys(), device="cpu"), lambda e: None)
        results.append(folder.result(cell.key))
    assert outcome(results[0]) == outcome(results[1])


def test_a_worker_that_keeps_dying_is_the_cells_result_and_the_rest_goes_on(tmp_path: Path):
    doomed, fine = small_cell(iterations=100000), small_cell(method="random")
    folder = small_folder(tmp_path / "run", [doomed, fine])
    events: list[Event] = []

    def murder(event: Event) -> None:
        events.append(event)
        if event.kind == "progress" and event.key == doomed.key and event.text == "distil":
            for worker in children():
                os.kill(worker, signal.SIGKILL)

    Local(Local.Config(slots=1)).run(Job(folder.path, folder.keys(), device="cpu"), murder)
    assert [e.kind for e in events if e.kind in ("lost", "failed")] == ["lost", "lost", "failed"]
    result = folder.result(doomed.key)
    assert result is not None
    assert result.status == "failed"
    assert result.error is not None
    assert "SIGKILL" in result.error.message
    assert "memory" in result.error.message
    assert folder.state(fine.key) == "ok"


def test_two_runners_on_one_folder_share_the_work(tmp_path: Path):
    cells = [small_cell(method="random", seed=s) for s in range(6)]
    folder = small_folder(tmp_path / "run", cells)
    events: list[Event] = []

    def runner() -> None:
        own = RunFolder.open(folder.path)
        Local(Local.Config(slots=1)).run(Job(own.path, own.keys(), device="cpu"), events.append)

    threads = [threading.Thread(target=runner) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    started = [e.key for e in events if e.kind == "started"]
    assert sorted(started) == sorted(c.key for c in cells), "a cell was run twice, or not at all"
    assert [folder.state(c.key) for c in cells] == ["ok"] * 6


def test_workers_refused_by_the_machine_end_the_engine_with_the_reason(tmp_path: Path):
    folder = small_folder(tmp_path / "run", [small_cell(method="random")])
    with pytest.raises(RunError, match="not usable"):
        Local().run(Job(folder.path, folder.keys(), device="cuda:9"), lambda e: None)


def test_slots_follow_devices_and_cores(tmp_path: Path):
    keys = [str(i) for i in range(100)]
    assert slot_devices(Job(tmp_path, keys, device="cuda:0,cuda:1"), None) == ["cuda:0", "cuda:1"]
    assert slot_devices(Job(tmp_path, keys, device="cpu"), 3) == ["cpu"] * 3
    assert len(slot_devices(Job(tmp_path, keys, device="cpu"), None)) == max(1, len(os.sched_getaffinity(0)))
    assert slot_devices(Job(tmp_path, keys[:1], device="cpu"), None) == ["cpu"]


def children() -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    own = {int(p) for p in found.stdout.split()}
    return [p for p in own if "ddbench.run.worker" in _command(p)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
