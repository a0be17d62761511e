"""An engine: where cells run. Every engine keeps one contract: each cell of the folder ends with a result, once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddbench.interfaces.plugin import Plugin


@dataclass(frozen=True)
class Event:
    """What an engine reports while it works. `fraction` in [0, 1] is the cell's progress in its present phase."""

    kind: Literal["started", "progress", "finished", "failed", "skipped", "lost"]
    key: str
    text: str = ""
    fraction: float = 0.0


@dataclass(frozen=True)
class Job:
    """Cells of one run folder to be brought to a result."""

    folder: Path
    keys: Sequence[str]
    device: str = "auto"
    """auto | cpu | cuda | cuda:0,cuda:1 (a list of device slots for engines that have several)."""
    threads: int = 1
    """Intra-operation threads a process."""
    checkpoint_s: float = 30.0


class Engine(Plugin):
    """Runs cells. A cell that fails leaves a result with its status; only a broken machine ends the engine."""

    @abstractmethod
    def run(self, job: Job, report: Callable[[Event], None]) -> None:
        """Brings every cell of the job to a result. Raises: RunError where the folder or the machine refuses."""
