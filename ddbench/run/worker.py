"""A worker: goes through the cells of a run folder, one at a time, and leaves a result for each.

`python -m ddbench.run.worker` reads a job as a line of JSON from standard input and writes events as JSON lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from uuid import uuid4

import torch

from ddbench.errors import ArtifactError, DdbenchError, RunError, VersionError
from ddbench.interfaces.engine import Event, Job
from ddbench.result.io import write_result
from ddbench.result.schema import Failure, Result, Status
from ddbench.run.cell import Outcome, produce
from ddbench.run.folder import RunFolder
from ddbench.run.phases import Record, exact_float32
from ddbench.run.provenance import now, provenance
from ddbench.spec.cell import Cell
from ddbench.store import Touched, listening

REPORT_EVERY_S = 0.5
INTERNAL = 70


def work(job: Job, report: Callable[[Event], None]) -> None:
    """Brings each cell of the job to a result; cells that are done or that another process holds are skipped.

    Raises: RunError where the folder or the machine refuses; whatever was computed stays.
    """
    folder = RunFolder.open(job.folder)
    device = pick_device(job.device)
    torch.set_num_threads(job.threads)
    for key in job.keys:
        with folder.claim(key) as mine:
            if not mine:
                report(Event("skipped", key, "another process is at it"))
            elif _has_result(folder, key):
                report(Event("skipped", key, "done already"))
            else:
                try:
                    cell = folder.cell(key)
                except ArtifactError as error:
                    report(Event("failed", key, f"{error} Re-issue `ddbench run` to write it anew.", 1.0))
                    continue
                with exact_float32():
                    _run(folder, cell, device, job.checkpoint_s, report)


def pick_device(name: str) -> torch.device:
    """The device of a worker. Raises: RunError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RunError(f"The device {name!r} is not usable here: {str(error).splitlines()[0]}") from error
    return device


def _has_result(folder: RunFolder, key: str) -> bool:
    try:
        return folder.result(key) is not None
    except VersionError as error:
        raise RunError(str(error)) from error
    except ArtifactError:
        folder.set_aside(key)
        return False


def _run(
    folder: RunFolder, cell: Cell, device: torch.device, checkpoint_s: float, report: Callable[[Event], None]
) -> None:
    key, where = cell.key, folder.cell_dir(cell.key)
    for stray in where.glob(".*.tmp"):
        stray.unlink(missing_ok=True)
    report(Event("started", key, cell.title))
    started, log = now(), _Log(where / "log.txt")
    record = Record(where / "record.json", device)
    said = 0.0

    def progress(phase: str, fraction: float) -> None:
        nonlocal said
        if fraction == 0.0 or time.monotonic() - said >= REPORT_EVERY_S:
            said = time.monotonic()
            log(f"{phase} {fraction:.0%}")
            report(Event("progress", key, phase, fraction))

    log(f"{cell.title} on {device}")
    outcome, status, error = _attempt(cell, where, record, device, checkpoint_s, progress)
    result = Result(
        key=key,
        run_id=uuid4().hex,
        status=status,
        cell=cell,
        bytes=outcome and outcome.storage,
        runs=outcome.runs if outcome else (),
        losses=outcome.losses if outcome else (),
        phases=tuple(record.phases.values()),
        artifact=outcome and outcome.artifact,
        notes=outcome.notes if outcome else tuple(record.notes),
        provenance=provenance(cell, device, started),
        error=error,
    )
    write_result(where / "result.json", result)
    for scrap in ("record.json", "students.json", "student.safetensors"):
        (where / scrap).unlink(missing_ok=True)
    text = error.message if error else f"{time.monotonic() - record.started:.1f} s"
    log(f"{status}: {text}")
    report(Event("finished" if status == "ok" else "failed", key, text, 1.0))


def _attempt(
    cell: Cell,
    where: Path,
    record: Record,
    device: torch.device,
    checkpoint_s: float,
    progress: Callable[[str, float], None],
) -> tuple[Outcome | None, Status, Failure | None]:
    """(outcome, status, failure) of a cell. Raises: RunError alone, since no result could be written either."""
    try:
        with listening(partial(_note_entry, record)):
            outcome = produce(cell, where, record, device, checkpoint_s, progress)
    except RunError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        return None, "out_of_memory", _failure(error, record.current)
    except RuntimeError as error:
        status: Status = "out_of_memory" if "can't allocate memory" in str(error) else "failed"
        return None, status, _failure(error, record.current)
    except Exception as error:  # noqa: BLE001 (whatever a plug-in raises is the cell's result)
        return None, "failed", _failure(error, record.current)
    if outcome.divergence is not None:
        return outcome, "diverged", _failure(outcome.divergence, "distil")
    return outcome, "ok", None


def _note_entry(record: Record, touched: Touched) -> None:
    if touched.kind == "unsound":
        record.note(f"The cache's {touched.name} was made anew: {touched.why}.")


def _failure(error: BaseException, phase: str) -> Failure:
    trace = "" if isinstance(error, DdbenchError) else "".join(traceback.format_exception(error))
    return Failure(kind=type(error).__name__, message=str(error) or type(error).__name__, phase=phase, traceback=trace)


class _Log:
    """The cell's log: one line a call, with the time; a log that cannot be written stops nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, text: str) -> None:
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{now()} {text}\n")


def main() -> int:
    """Runs the job on standard input, which must stay open until it is done.

    Exit code 0, or another with the reason as the last event where the machine refused.
    """
    spec = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    job = Job(**{**spec, "folder": Path(spec["folder"])})

    def report(event: Event) -> None:
        try:
            sys.stdout.write(json.dumps(asdict(event)) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            os._exit(1)  # whoever asked is gone: a re-issued run goes on from the last checkpoint

    try:
        work(job, report)
    except DdbenchError as error:
        report(Event("lost", "", str(error)))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 (the engine that started this process must hear of it)
        traceback.print_exc()
        report(Event("lost", "", f"A worker met a fault of ddbench's own: {type(error).__name__}: {error}"))
        return INTERNAL
    return 0


def _end_with_the_parent() -> None:
    """Ends this process once standard input closes: whoever asked is gone, and its cell must be free for the next."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
