"""The result of a cell whose worker died: nobody else could write it."""

from __future__ import annotations

import signal
from uuid import uuid4

import torch

from ddbench.result.io import write_result
from ddbench.result.schema import Failure, Result
from ddbench.run.folder import RunFolder
from ddbench.run.phases import Record
from ddbench.run.provenance import now, provenance


def record_death(folder: RunFolder, key: str, code: int) -> None:
    """Writes a failed result that says how the worker ended, unless somebody else has the cell or a result is there."""
    with folder.claim(key) as mine:
        if mine and not (folder.cell_dir(key) / "result.json").exists():
            _write(folder, key, code)


def _write(folder: RunFolder, key: str, code: int) -> None:
    cell, where = folder.cell(key), folder.cell_dir(key)
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    device = torch.device("cpu")
    record = Record(where / "record.json", device)
    hint = " The system kills processes so when memory runs out." if code == -signal.SIGKILL else ""
    result = Result(
        key=key,
        run_id=uuid4().hex,
        status="failed",
        cell=cell,
        bytes=None,
        runs=(),
        losses=(),
        phases=tuple(record.phases.values()),
        artifact=None,
        notes=tuple(record.notes),
        provenance=provenance(cell, device, now()),
        error=Failure(kind="WorkerDied", message=f"The worker process died: {name}.{hint}", phase="unknown"),
    )
    write_result(where / "result.json", result)
