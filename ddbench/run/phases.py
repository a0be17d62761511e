"""The record of a cell's work so far: seconds and memory by phase, added up over interrupted runs."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
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
        self._spent: Callable[[], Phase] | None = None
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
        """Stores the record, with the phase that is under way as far as it is."""
        if self._spent:
            self.phases[self.current] = self._spent()
        phases = [p.model_dump() for p in self.phases.values()]
        write_atomic(self.path, json.dumps({"phases": phases, "losses": self.losses, "notes": self.notes}))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    @contextmanager
    def phase(self, name: str, before_s: float | None = None) -> Iterator[None]:
        """Times a phase on top of what an interrupted run spent on it: `before_s` seconds, or what the record knows."""
        self.current = name
        known = self.phases.get(name, Phase(name=name, seconds=0.0, host_peak_bytes=0, device_peak_bytes=0))
        earlier_s = known.seconds if before_s is None else before_s
        on_gpu = self.device.type == "cuda"
        reset_peak_memory()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
        start = time.monotonic()

        def spent() -> Phase:
            device_peak = torch.cuda.max_memory_allocated(self.device) if on_gpu else 0
            return Phase(
                name=name,
                seconds=round(earlier_s + time.monotonic() - start, 3),
                host_peak_bytes=max(known.host_peak_bytes, peak_memory_bytes()),
                device_peak_bytes=max(known.device_peak_bytes, device_peak),
            )

        self._spent = spent
        try:
            yield
        finally:
            if on_gpu:
                torch.cuda.synchronize(self.device)
            self.phases[name], self._spent = spent(), None
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


@contextmanager
def exact_float32() -> Iterator[None]:
    """Within, float32 convolutions on a GPU are of float32: by PyTorch's default cuDNN's have 10 bits (TF32)."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
