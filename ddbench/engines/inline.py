"""The inline engine: all cells in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch

from ddbench.interfaces.engine import Engine, Event, Job
from ddbench.run.worker import work


class Inline(Engine):
    """Runs cells in the calling process: for debugging and notebooks. A crash of the process ends the engine too."""

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "ddbench"

    def run(self, job: Job, report: Callable[[Event], None]) -> None:
        threads = torch.get_num_threads()
        try:
            work(job, report)
        finally:
            torch.set_num_threads(threads)  # the caller's process goes on after the cells
