"""The map of decoded pictures: whole or not there, resumed after a kill, mended where damaged."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ddbench.datasets import decoded as module
from ddbench.datasets.decoded import PIECE, Pictures, decoded
from ddbench.errors import DataError, RunError
from ddbench.touched import listening

N = 2 * PIECE + 5


class Reader:
    """Pictures made of their number; counts what it is asked."""

    def __init__(self, broken: tuple[int, ...] = (), stop_at: int = -1) -> None:
        self.asked: list[int] = []
        self.broken, self.stop_at = broken, stop_at

    def __call__(self, path: Path) -> np.ndarray:
        i = int(path.name)
        self.asked.append(i)
        if i == self.stop_at:
            raise KeyboardInterrupt
        if i in self.broken:
            raise DataError(f"{path} cannot be read: cut short.")
        return np.full((1, 2, 3), i % 251, dtype=np.uint8)


def pictures(read: Reader) -> Pictures:
    return Pictures("made_up", [Path(f"/nowhere/{i}") for i in range(N)], "listing", (1, 2, 3), "test 1", read)


EXPECTED = np.broadcast_to((np.arange(N) % 251).astype(np.uint8)[:, None, None, None], (N, 1, 2, 3))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path))
    return tmp_path / "images"


def test_every_picture_is_in_its_place_and_read_once(cache):
    read, told = Reader(), []
    values = decoded(pictures(read), told.append)
    assert isinstance(values, np.memmap)
    np.testing.assert_array_equal(values, EXPECTED)
    assert sorted(read.asked) == list(range(N))
    assert told == sorted(told)
    assert told[-1] == 1
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert again.asked == []
    assert {p.suffix for p in cache.iterdir()} == {".u8", ".json", ".lock"}


def test_what_a_reader_writes_does_not_reach_the_file():
    values = decoded(pictures(Reader()))
    values[:] = 7
    np.testing.assert_array_equal(decoded(pictures(Reader())), EXPECTED)


def test_after_an_interruption_only_the_unfinished_pieces_are_made(cache):
    with pytest.raises(KeyboardInterrupt):
        decoded(pictures(Reader(stop_at=PIECE + 3)))
    assert not list(cache.glob("*.u8"))
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert min(again.asked) == PIECE


@pytest.mark.parametrize("torn", ["1", "1 abc", "x y\n", "99 abc\n", "1 abc\n"])
def test_a_torn_journal_costs_its_piece_and_nothing_else(cache, torn):
    with pytest.raises(KeyboardInterrupt):
        decoded(pictures(Reader(stop_at=PIECE + 3)))
    with open(next(cache.glob("*.journal")), "a") as journal:
        journal.write(torn)
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert min(again.asked) == PIECE
    np.testing.assert_array_equal(decoded(pictures(Reader())), EXPECTED)


def test_a_partial_piece_that_is_not_what_the_journal_says_is_made_anew(cache):
    with pytest.raises(KeyboardInterrupt):
        decoded(pictures(Reader(stop_at=PIECE + 3)))
    with open(next(cache.glob("*.partial")), "r+b") as file:
        file.write(b"\xff")
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert min(again.asked) == 0


@pytest.mark.parametrize("damage", ["byte", "short", "no sidecar", "other sidecar"])
def test_a_damaged_map_is_mended_with_a_note(cache, damage):
    decoded(pictures(Reader()))
    path = next(cache.glob("*.u8"))
    beside = path.with_suffix(".json")
    if damage == "byte":
        with open(path, "r+b") as file:
            file.seek(6 * (PIECE + 1))
            file.write(b"\xff")
    elif damage == "short":
        os.truncate(path, 6 * (N - 1))
    elif damage == "no sidecar":
        beside.unlink()
    else:
        beside.write_text(json.dumps(json.loads(beside.read_text()) | {"key": "another's"}))
    notes = []
    with listening(notes.append):
        np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert [n.kind for n in notes] == ["unsound", "made"]
    remade = {"byte": range(PIECE, 2 * PIECE), "short": range(2 * PIECE, N)}.get(damage, range(N))
    assert sorted(again.asked) == list(remade)


def test_broken_files_are_named_all_at_once_and_the_rest_is_kept():
    with pytest.raises(DataError, match=f"7 of the {N} files of 'made_up'.*/nowhere/0 cannot.*and 2 more"):
        decoded(pictures(Reader(broken=tuple(range(7)))))
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert sorted(again.asked) == list(range(PIECE))


@pytest.mark.parametrize("where", ["at once", "while writing"])
def test_a_full_disk_is_told_with_the_file_and_what_is_done_is_kept(monkeypatch, where):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if where == "at once":
            patch.setattr(module, "_reserve", full)
        else:
            written = []
            sync = os.fsync
            patch.setattr(module.os, "fsync", lambda f: full() if len(written) > 1 else (written.append(f), sync(f)))
        with pytest.raises(RunError, match=r"made_up.*No space left on device.*DDBENCH_CACHE"):
            decoded(pictures(Reader()))
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert min(again.asked) == (0 if where == "at once" else PIECE)


PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from ddbench.datasets.decoded import Pictures, decoded
def read(path):
    i = int(path.name)
    if i >= 200: time.sleep(60)
    return np.full((1, 2, 3), i % 251, dtype=np.uint8)
decoded(Pictures("made_up", [Path(f"/nowhere/{i}") for i in range(COUNT)], "listing", (1, 2, 3), "test 1", read))
"""


def test_kill_nine_keeps_the_finished_pieces(cache):
    worker = subprocess.Popen([sys.executable, "-c", PROGRAM.replace("COUNT", str(N))])
    try:
        for _ in range(400):
            journals = list(cache.glob("*.journal"))
            if journals and journals[0].read_text().endswith("\n"):
                break
            time.sleep(0.05)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    np.testing.assert_array_equal(decoded(pictures(again := Reader())), EXPECTED)
    assert min(again.asked) == PIECE
