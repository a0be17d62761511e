"""The file of the students that a cell has in training, and how often it is written."""

from __future__ import annotations

import time
from pathlib import Path

from ddbench.errors import ArtifactError
from ddbench.evaluate.checkpoint import State
from ddbench.run.phases import Record
from ddbench.sealed import not_a_checkpoint, read_sealed, write_sealed


class StudentCheckpoint:
    """`ddbench.evaluate.checkpoint.Checkpoint` in a cell's folder; the record is saved along, for its seconds.

    A damaged file costs time, never the result, and the record says so.
    """

    def __init__(self, path: Path, key: str, every_s: float, record: Record) -> None:
        self.path, self.key, self.every_s, self.record = path, key, every_s, record
        self._saved = time.monotonic()

    def load(self) -> State | None:
        try:
            return self._read()
        except ArtifactError as error:
            self.record.note(f"A student's training started over: {error}")
            self.path.unlink(missing_ok=True)
            return None

    def _read(self) -> State | None:
        found = read_sealed(self.path, self.key)
        if found is None:
            return None
        tensors, note = found
        try:
            return State(str(note["of"]), int(note["step"]), tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise not_a_checkpoint(self.path, error) from error

    def due(self) -> bool:
        return time.monotonic() - self._saved >= self.every_s

    def save(self, state: State) -> None:
        write_sealed(self.path, self.key, state.tensors, {"of": state.of, "step": state.step})
        self.record.save()
        self._saved = time.monotonic()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._saved = time.monotonic()
