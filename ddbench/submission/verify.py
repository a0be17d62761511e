"""Verifying a result: fresh students on the set that was published, compared with what the result claims."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from ddbench import artifact, registry
from ddbench.budget import reference_slots
from ddbench.canonical import digest
from ddbench.errors import ArtifactError
from ddbench.evaluate import evaluate_full
from ddbench.files import read_json, write_atomic
from ddbench.planning.facts import cap_bytes
from ddbench.result.io import read_result
from ddbench.result.schema import Result, StudentRun
from ddbench.result.verification import Verification, claim_digest, read_verification, summed_up
from ddbench.run.cell import complete, in_each_space, load_data
from ddbench.run.phases import Record
from ddbench.run.provenance import now
from ddbench.run.student_checkpoint import StudentCheckpoint
from ddbench.spec.cell import Cell
from ddbench.submission.agreement import CONFIDENCE, compare, figure_of
from ddbench.submission.claims import claim_faults
from ddbench.submission.folder import decoding_faults
from ddbench.submission.stored import stored_faults
from ddbench.version import __version__

STUDENTS = 3
CHECKPOINT_S = 60.0
_RUNS = TypeAdapter(list[StudentRun])

Score = Callable[..., Iterator[list[StudentRun]]]


@dataclass(frozen=True)
class How:
    """How a result is verified."""

    students: int | None = None
    """Fresh students of each network and column; None: STUDENTS, or as many as the claim has where that is fewer."""
    same: bool = False
    """Whether they have the random streams of the claim's students, as a check of reproduction; otherwise others."""
    by: str = "unnamed"
    device: str = "cpu"
    checkpoint_s: float = CHECKPOINT_S


def verify(
    file: Path, how: How, out: Path | None = None, progress: Callable[[float], None] = lambda fraction: None
) -> Verification:
    """Verifies the result in a file and writes `out`, by default `verification.json` beside it, in one step.

    Interrupted, the same call goes on where it was: students that are done are kept in a folder beside `out`, and the
    one in training is at most `checkpoint_s` seconds behind. A verification of the same claim with as many students
    that is there already is returned as it is.

    Raises: ArtifactError where there is nothing to verify, or the result does not hold what it claims about its set;
    DataError, SpecError, PluginError where its data or plug-ins are not here.
    """
    result = read_result(file)
    _refuse_unsound(result, file)
    first = 0 if how.same else 1 + max(run.student for run in result.runs)
    count = how.students or min(STUDENTS, result.cell.protocol.students)
    out = out or file.with_name("verification.json")
    if (known := _known(out, result, how, count)) is not None:
        return known
    started = now()
    protocol = result.cell.protocol.model_copy(update={"students": first + count})
    cell = result.cell.model_copy(update={"protocol": protocol})
    work = out.with_name(f".{out.stem}.work")
    work.mkdir(parents=True, exist_ok=True)
    runs = _trained(cell, result, file.parent, work, first, how, progress)
    comparisons = compare(result.runs, runs, how.same)
    verification = Verification(
        key=result.key,
        run_id=result.run_id,
        claim=claim_digest(result),
        sha256=result.artifact and result.artifact.sha256,
        independent=not how.same,
        confidence=CONFIDENCE,
        comparisons=tuple(comparisons),
        runs=tuple(runs),
        verdict=summed_up([c.verdict for c in comparisons]),
        ddbench=__version__,
        device=torch.cuda.get_device_name(how.device) if how.device.startswith("cuda") else how.device,
        by=how.by,
        started=started,
        finished=now(),
    )
    write_atomic(out, verification.model_dump_json(indent=1) + "\n")
    shutil.rmtree(work, ignore_errors=True)
    return verification


def _refuse_unsound(result: Result, file: Path) -> None:
    if result.status != "ok":
        raise ArtifactError(f"{file} has no score to verify: its status is {result.status}.")
    faults = [*claim_faults(result), *stored_faults(result, file.parent, file.parent)]
    if faults := faults or [*decoding_faults(result, file.parent)]:
        raise ArtifactError(f"{file} is not sound, so that it is not verified: {'; '.join(faults)}.")


def _known(out: Path, result: Result, how: How, count: int) -> Verification | None:
    """A verification that is there and says as much as the one that is asked for."""
    if not out.is_file():
        return None
    try:
        found = read_verification(out)
    except ArtifactError:
        return None
    enough = min(c.students_found for c in found.comparisons) >= count
    alike = (found.by, found.independent, found.ddbench) == (how.by, not how.same, __version__)
    return found if found.is_of(result) and enough and alike else None


def _trained(
    cell: Cell, result: Result, folder: Path, work: Path, first: int, how: How, progress: Callable[[float], None]
) -> list[StudentRun]:
    """Students from index `first` on; those below it stand for the claim's and are not trained."""
    record = Record(work / "record.json", torch.device(how.device))
    of = digest([cell.key, result.run_id, result.artifact and result.artifact.sha256, first])
    done = _finished(work / "students.json", of)
    templates = {figure_of(run): run for run in result.runs}.values()
    passed = [run.model_copy(update={"student": i}) for run in templates for i in range(first)]
    checkpoint = StudentCheckpoint(work / "student.safetensors", of, how.checkpoint_s, record)
    score = _score(cell, folder, record, how)
    for runs in score(
        seed=cell.seed, device=how.device, done=(*passed, *done), progress=progress, checkpoint=checkpoint
    ):
        done.extend(runs)
        kept = {"of": of, "runs": [run.model_dump(mode="json") for run in done]}
        write_atomic(work / "students.json", json.dumps(kept))
    checkpoint.drop()
    order = {figure: i for i, figure in enumerate(dict.fromkeys(map(figure_of, result.runs)))}
    return sorted(done, key=lambda run: (order.get(figure_of(run), len(order)), run.student))


def _finished(file: Path, of: str) -> list[StudentRun]:
    """Students that an interrupted verification of the same claim had finished."""
    try:
        kept = read_json(file)
        return _RUNS.validate_python(kept["runs"]) if kept["of"] == of else []
    except (ArtifactError, ValidationError, KeyError, TypeError):
        return []


def _score(cell: Cell, folder: Path, record: Record, how: How) -> Score:
    """What trains the students that the cell's protocol asks for, on the set as it was published."""
    data = load_data(cell)
    if cell.budget is None:
        return partial(evaluate_full, data, cell.protocol)
    stored, card = artifact.load(folder), data.card
    cap = cap_bytes(cell, card)
    for what, of_set, of_data in (
        ("signals", stored.card.signal, card.signal),
        ("classes", stored.card.class_names, card.class_names),
        ("cap in bytes", stored.card.cap_bytes, cap),
    ):
        if of_set != of_data:
            raise ArtifactError(f"{stored.file} is not a set of {card.name!r}: its {what} are others than the data's.")
    whole = complete(cell, stored, data)
    reference = reference_slots(card.signal.bare.shape, card.n_classes, cap) * card.n_classes
    method = registry.build("method", cell.method.name, cell.method.args)
    return partial(in_each_space, cell, method, whole, whole.decode_items(), data, reference, record)
