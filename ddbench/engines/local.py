"""The local engine: one worker process a device slot, several cells a process, cells handed out by their locks."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import Field

from ddbench.engines.allocator import ALLOCATOR
from ddbench.engines.deaths import record_death
from ddbench.errors import RunError
from ddbench.interfaces.engine import Engine, Event, Job
from ddbench.interfaces.plugin import PluginConfig
from ddbench.run.folder import RunFolder

DEATHS_ALLOWED = 2
"""A cell whose worker dies this often is recorded as failed."""


class LocalConfig(PluginConfig):
    """Arguments of the local engine."""

    slots: int | None = Field(
        None, gt=0, description="Worker processes; default: one a GPU, or cores / threads on a CPU."
    )


@dataclass
class _Slot:
    """One worker process and the cell that it is at."""

    process: subprocess.Popen[str]
    device: str
    index: int
    busy: str | None = None
    reason: str = ""


class Local(Engine):
    """Runs cells in subprocesses. A worker that dies is replaced and its cell tried once more."""

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "ddbench"
    Config = LocalConfig

    def run(self, job: Job, report: Callable[[Event], None]) -> None:
        devices = slot_devices(job, self.config.slots)
        lines: queue.Queue[tuple[int, str | None]] = queue.Queue()
        slots = {i: self._start(job, device, i, lines) for i, device in enumerate(devices)}
        deaths: dict[str, int] = {}
        refused = ""
        try:
            while slots:
                index, line = lines.get()
                slot = slots[index]
                if line is not None:
                    self._take(slot, line, report)
                    continue
                code = slot.process.wait()
                del slots[index]
                if slot.reason:
                    refused = refused or slot.reason
                elif code != 0 and not refused:
                    self._bury(job, slot, code, deaths, report)
                    slots[index] = self._start(job, slot.device, index, lines)
        finally:
            for slot in slots.values():
                slot.process.kill()
                slot.process.wait()
        if refused:
            raise RunError(refused)

    def _start(self, job: Job, device: str, index: int, lines: queue.Queue[tuple[int, str | None]]) -> _Slot:
        environment = {**ALLOCATOR, "OMP_NUM_THREADS": str(job.threads), **os.environ}
        process = subprocess.Popen(
            [sys.executable, "-m", "ddbench.run.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, start_new_session=True,
        )  # fmt: skip
        slot = replace(job, device=device)
        spec = {"folder": str(slot.folder.resolve()), "keys": list(slot.keys), "device": slot.device}
        spec |= {"threads": slot.threads, "checkpoint_s": slot.checkpoint_s}
        assert process.stdin is not None
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put((index, line))
            lines.put((index, None))

        threading.Thread(target=listen, daemon=True).start()
        return _Slot(process, device, index)

    def _take(self, slot: _Slot, line: str, report: Callable[[Event], None]) -> None:
        try:
            event = Event(**json.loads(line))
        except (ValueError, TypeError):
            return  # a library wrote to standard output
        if event.kind == "lost":
            slot.reason = event.text
            return
        if event.kind == "started":
            slot.busy = event.key
        elif event.kind in ("finished", "failed"):
            slot.busy = None
        report(event)

    def _bury(self, job: Job, slot: _Slot, code: int, deaths: dict[str, int], report: Callable[[Event], None]) -> None:
        """Notes the death of a worker; the second one at the same cell is the cell's result."""
        key = slot.busy
        if key is None:
            deaths[""] = deaths.get("", 0) + 1
            if deaths[""] >= DEATHS_ALLOWED:
                raise RunError(f"Workers die before they start on a cell (exit code {code}): ask `ddbench doctor`.")
            return
        deaths[key] = deaths.get(key, 0) + 1
        report(Event("lost", key, f"its worker died (exit code {code})"))
        if deaths[key] >= DEATHS_ALLOWED:
            record_death(RunFolder.open(job.folder), key, code)
            report(Event("failed", key, f"its worker died {DEATHS_ALLOWED} times (exit code {code})", 1.0))


def slot_devices(job: Job, slots: int | None) -> list[str]:
    """The device of each worker: those that the job names, every GPU for `auto`, or a CPU's cores."""
    named = job.device.split(",")
    if job.device == "auto":
        import torch

        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        named = [f"cuda:{i}" for i in range(gpus)] or ["cpu"]
    if named != ["cpu"]:
        return [named[i % len(named)] for i in range(slots or len(named))]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["cpu"] * (slots or min(max(1, cores // job.threads), max(1, len(job.keys))))
