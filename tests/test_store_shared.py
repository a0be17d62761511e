"""Entries that several processes want: each computed once, and taken over from a process that dies."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddbench.store import entry_path
from ddbench.store_shared import cached_each

N = 6
COORDINATES = [{"i": i} for i in range(N)]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def entry(i: int) -> dict[str, Tensor]:
    return {"w": torch.full((3,), float(i))}


def collect(log: Path, together: int, pause_s: float = 0.0, dies_at: int | None = None) -> dict[int, Tensor]:
    def compute(which: list[int]) -> list[dict[str, Tensor]]:
        assert 1 <= len(which) <= together
        if dies_at in which:
            os._exit(1)
        with log.open("a") as file:
            file.write("".join(f"{i}\n" for i in which))
        time.sleep(pause_s)
        return [entry(i) for i in which]

    return {i: tensors["w"] for i, tensors in cached_each("experts", COORDINATES, compute, together)}


def assert_whole(found: dict[int, Tensor]) -> None:
    assert sorted(found) == list(range(N))
    assert all(torch.equal(w, entry(i)["w"]) for i, w in found.items())


def computed(log: Path) -> list[int]:
    return sorted(int(line) for line in log.read_text().split())


@pytest.mark.parametrize("together", [1, 2, 4, 99])
def test_each_entry_is_computed_once(root: Path, together: int) -> None:
    for _ in range(2):
        assert_whole(collect(root / "log", together))
    assert computed(root / "log") == list(range(N))


def test_damaged_entries_alone_are_computed_anew(root: Path) -> None:
    collect(root / "log", 2)
    entry_path("experts", COORDINATES[3]).write_bytes(b"half")
    entry_path("experts", COORDINATES[5]).unlink()
    assert_whole(collect(root / "log", 4))
    assert computed(root / "log") == [0, 1, 2, 3, 3, 4, 5, 5]


@pytest.mark.parametrize("together", [1, 2])
def test_processes_share_the_work(root: Path, together: int) -> None:
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=collect, args=(root / "log", together, 0.03)) for _ in range(3)]
    for process in others:
        process.start()
    assert_whole(collect(root / "log", together, 0.03))
    for process in others:
        process.join()
        assert process.exitcode == 0
    assert computed(root / "log") == list(range(N))


def test_the_entry_of_a_process_that_died_is_taken_over(root: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=collect, args=(root / "log", 1, 0.0, 2))
    process.start()
    process.join()
    assert process.exitcode == 1
    assert_whole(collect(root / "log", 1))
    assert computed(root / "log") == list(range(N))


def test_a_cache_that_cannot_be_written_computes_each_time(root: Path) -> None:
    (root / "cache").write_text("a file where the folder should be")
    for _ in range(2):
        assert_whole(collect(root / "log", 2))
    assert computed(root / "log") == sorted([*range(N), *range(N)])


def test_a_failure_leaves_the_entry_to_others(root: Path) -> None:
    def fails(which: list[int]) -> list[dict[str, Tensor]]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(cached_each("experts", COORDINATES, fails))
    assert_whole(collect(root / "log", 1))
