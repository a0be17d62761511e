"""The run folder: one suite, one folder a cell, and nothing that is not either absent or whole. torch-free.

run/  suite.yaml  suite.json
      cells/<first 16 of the key>/  cell.json  log.txt  checkpoint.safetensors  distilled.{safetensors,json}
                                    student.safetensors  students.json  record.json  result.json  lock
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal
from uuid import uuid4

from filelock import FileLock, Timeout
from pydantic import ValidationError

from ddbench.errors import ArtifactError, RunError, VersionError
from ddbench.files import read_json, write_atomic
from ddbench.result.io import read_result
from ddbench.result.schema import Result, Status
from ddbench.spec.cell import Cell

State = Literal["waiting", "running", "unreadable"] | Status
INDEX = "suite.json"
KEY_LETTERS = 16


class RunFolder:
    """A suite's cells on disk. Many processes may work in one folder; a lock a cell keeps them apart."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, name: str, suite: Path | bytes, cells: Sequence[Cell], part: bool = False) -> RunFolder:
        """A folder for the cells of the suite `name`, or the one that is there, extended by cells that are new.

        `suite` is its YAML, or the file of that. What is damaged of its index and its cells' files is written anew.
        With `part` the given cells may not be all of the suite: those that the folder has already stay in its index.
        Raises: RunError where the folder holds another suite or cannot be written.
        """
        folder = cls(path)
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file, not a folder. Name another with --out.")
        held = folder._held_suite()
        if held not in (None, name):
            raise RunError(f"{path} holds runs of the suite {held!r}, not of {name!r}. Name another with --out.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            for cell in cells:
                folder.cell_dir(cell.key).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"Cannot create the run folder {path}: {error.strerror}. Name another with --out."
            ) from error
        for cell in cells:
            if not folder._has_cell(cell):
                write_atomic(folder.cell_dir(cell.key) / "cell.json", cell.model_dump_json(indent=1))
        keys = [c.key for c in cells]
        if part and held is not None:
            keys = list(dict.fromkeys([*folder.keys(), *keys]))
        index = json.dumps({"suite": name, "keys": keys}, indent=1)
        text = suite if isinstance(suite, bytes) else suite.read_bytes()
        for file, content in ((path / "suite.yaml", text), (path / INDEX, index.encode())):
            if not file.is_file() or file.read_bytes() != content:
                write_atomic(file, content)
        return cls(path)

    def _held_suite(self) -> str | None:
        try:
            return self.suite_name
        except ArtifactError:
            return None

    def _has_cell(self, cell: Cell) -> bool:
        try:
            return self.cell(cell.key) == cell
        except ArtifactError:
            return False

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder at `path`. Raises: RunError where there is none."""
        if not (path / INDEX).is_file():
            raise RunError(
                f"{path} is not a run folder: it has no {INDEX}. `ddbench run SUITE --out {path}` makes one."
            )
        return cls(path)

    @cached_property
    def _index(self) -> dict[str, object]:
        index = read_json(self.path / INDEX)
        if not isinstance(index, dict) or not isinstance(index.get("keys"), list) or "suite" not in index:
            raise ArtifactError(
                f"{self.path / INDEX} is not a run folder's index. Re-issue `ddbench run` to write it anew."
            )
        return index

    @property
    def suite_name(self) -> str:
        return str(self._index["suite"])

    def keys(self) -> list[str]:
        """The cells' keys in the suite's order."""
        keys = self._index["keys"]
        assert isinstance(keys, list)
        return [str(k) for k in keys]

    def cell_dir(self, key: str) -> Path:
        return self.path / "cells" / key[:KEY_LETTERS]

    def cell(self, key: str) -> Cell:
        """Raises: ArtifactError where `cell.json` is missing, damaged or of another key."""
        file = self.cell_dir(key) / "cell.json"
        try:
            cell = Cell.model_validate(read_json(file))
        except ValidationError as error:
            raise ArtifactError(
                f"{file} is not a cell: {error.error_count()} faults. Re-issue `ddbench run`."
            ) from error
        if cell.key != key:
            raise ArtifactError(f"{file} is the cell {cell.key[:12]}, not {key[:12]}. Delete its folder and run again.")
        return cell

    def result(self, key: str) -> Result | None:
        """The cell's result, None where there is none yet. Raises: ArtifactError where it cannot be read."""
        file = self.cell_dir(key) / "result.json"
        return read_result(file) if file.exists() else None

    def state(self, key: str) -> State:
        """How far the cell is. A look leaves no trace: it works on a folder that cannot be written, too."""
        try:
            result = self.result(key)
        except ArtifactError:
            return "unreadable"
        if result is not None:
            return result.status
        if not (self.cell_dir(key) / "lock").exists():
            return "waiting"
        try:
            with self.claim(key) as mine:
                return "waiting" if mine else "running"
        except RunError:
            return "waiting"

    def progress(self, key: str) -> str:
        """The last line of the cell's log."""
        try:
            lines = (self.cell_dir(key) / "log.txt").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Whether this process has the cell to itself. The kernel gives the lock back when a process dies."""
        lock = FileLock(self.cell_dir(key) / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise RunError(f"Cannot lock {self.cell_dir(key)}: {os.strerror(error.errno or 0)}.") from error
        try:
            yield True
        finally:
            lock.release()

    def forget(self, key: str) -> None:
        """Drops a cell's failed result, so that it runs again. The set that a diverged run left goes too.

        Raises: VersionError where the result is of another version of ddbench.
        """
        where = self.cell_dir(key)
        try:
            result = self.result(key)
        except VersionError:
            raise
        except ArtifactError:
            self.set_aside(key)
            return
        if result is not None and result.status == "diverged":
            (where / "distilled.json").unlink(missing_ok=True)
        for name in ("result.json", "students.json", "student.safetensors", "record.json"):
            (where / name).unlink(missing_ok=True)

    def set_aside(self, key: str) -> None:
        """Keeps a damaged result under another name, out of the way of a new one. Raises: RunError where it cannot."""
        file = self.cell_dir(key) / "result.json"
        try:
            os.replace(file, file.with_name(f"result.damaged-{uuid4().hex[:8]}"))
        except OSError as error:
            raise RunError(f"Cannot move the damaged {file} aside: {error.strerror}.") from error
