"""The record of a cell's work so far: seconds and memory by phase, added up over interrupted runs."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ddbench.errors import ArtifactError
from ddbench.files import read_json, write_atomic
from ddbench.result.schema import Phase

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Record:
    """Phases, losses and notes of one cell, kept in `record.json` so that a resumed run knows them."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self.path, self.device = path, device
        self.phases: dict[str, Phase] = {}
        self.losses: list[tuple[int, float]] = []
        self.notes: list[str] = []
        self.current = "start"
        self.started = time.monotonic()
        if path.exists():
            self._read()

    def _read(self) -> None:
        try:
            raw = read_json(self.path)
            self.phases = {p["name"]: Phase.model_validate(p) for p in raw["phases"]}
            self.losses = [(int(s), float(x)) for s, x in raw["losses"]]
            self.notes = [str(n) for n in raw["notes"]]
        except (ArtifactError, ValueError, KeyError, TypeError):
            self.notes = ["The record of an earlier, interrupted run was unreadable: its seconds are not counted."]

    def save(self) -> None:
        phases = [p.model_dump() for p in self.phases.values()]
        write_atomic(self.path, json.dumps({"phases": phases, "losses": self.losses, "notes": self.notes}))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    @contextmanager
    def phase(self, name: str, before_s: float = 0.0) -> Iterator[None]:
        """Times a phase; `before_s` are seconds spent on it by a run that was interrupted."""
        self.current = name
        on_gpu = self.device.type == "cuda"
        reset_peak_memory()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
        start = time.monotonic()
        try:
            yield
        finally:
            if on_gpu:
                torch.cuda.synchronize(self.device)
            known = self.phases[name].seconds if name in self.phases else 0.0
            self.phases[name] = Phase(
                name=name,
                seconds=round(known + before_s + time.monotonic() - start, 3),
                host_peak_bytes=peak_memory_bytes(),
                device_peak_bytes=torch.cuda.max_memory_allocated(self.device) if on_gpu else 0,
            )
        self.save()


def reset_peak_memory() -> None:
    """Starts a new peak where the system can (Linux); elsewhere the peak stays that of the whole process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """Peak resident memory of this process since `reset_peak_memory`."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
