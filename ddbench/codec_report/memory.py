"""What a piece of work takes of memory on top of what was in use before it."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from ddbench.run.phases import peak_memory_bytes, reset_peak_memory

T = TypeVar("T")
SLACK_BYTES = 2**20
"""How far the peak may lie above what is resident just after it was reset."""


def peak_of(call: Callable[[], T], device: torch.device) -> tuple[T, int | None]:
    """(what the call gave, bytes of its peak above what was in use), on the accelerator where the device is one.

    On the host what was freed before is first given back to the system, else the call would find it there for nothing.
    None where the peak cannot be reset (other systems than Linux).
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        found = call()
        torch.cuda.synchronize(device)
        return found, torch.cuda.max_memory_allocated(device) - before
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    reset_peak_memory()
    resident, before = _resident_bytes(), peak_memory_bytes()
    can_tell = resident is not None and before - resident <= SLACK_BYTES
    found = call()
    return found, max(0, peak_memory_bytes() - before) if can_tell else None


def _resident_bytes() -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024
    return None
