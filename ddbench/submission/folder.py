"""A folder of submitted results, checked file by file and then as a whole. torch-free unless sets are decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import ArtifactError, DdbenchError
from ddbench.report.mandatory import absent
from ddbench.report.rows import tables
from ddbench.result.io import ResultError, read_result
from ddbench.result.schema import Result, StorageReport
from ddbench.submission.claims import claim_faults
from ddbench.submission.duplicates import duplicates
from ddbench.submission.findings import Checked, Entry, Finding
from ddbench.submission.stored import is_within, stored_faults

if TYPE_CHECKING:
    from ddbench.artifact.distilled import DistilledSet

RESULT = "result.json"


def result_files(folder: Path) -> list[Path]:
    """Every result file below a folder, in order; links to folders are not followed."""
    found = []
    for at, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        if RESULT in files or RESULT in folders:
            found.append(Path(at) / RESULT)
    return found


def check_folder(folder: Path, *, measured: bool = True, decode: bool = False) -> Checked:
    """Every result below a folder, each with its set measured. A faulty file keeps none of the others from its check.

    With `decode`, sets are decoded too, which imports torch and the codecs; without `measured` no set is opened.

    Raises: ArtifactError where there is nothing to check.
    """
    files = result_files(folder)
    if not files:
        raise ArtifactError(f"{folder} holds no {RESULT}. Give a folder with results, each beside its distilled set.")
    return _check(files, folder, measured, decode)


def check_file(file: Path, *, decode: bool = False) -> Checked:
    """One result with the set beside it."""
    return _check([file], file.parent, True, decode)


def _check(files: Sequence[Path], root: Path, measured: bool, decode: bool) -> Checked:
    entries: list[Entry] = []
    findings: list[Finding] = []
    for file in files:
        path = file.relative_to(root)
        where = path.as_posix()

        def wrong(fault: str, where: str = where) -> Finding:
            return Finding("wrong", where, fault.replace(f"{root}{os.sep}", "").removeprefix(f"{where} "))

        if not is_within(file, root):
            findings.append(wrong("it is a link that leads out of the folder"))
            continue
        try:
            result = read_result(file)
        except ArtifactError as error:
            findings += map(wrong, error.faults if isinstance(error, ResultError) else (str(error),))
            continue
        faults = [*claim_faults(result), *(stored_faults(result, file.parent, root) if measured else ())]
        if decode and not faults:
            faults += decoding_faults(result, file.parent)
        findings += map(wrong, faults)
        entries.append(Entry(path, result))
    findings += duplicates(entries)
    findings += _incomplete(entries)
    return Checked(tuple(entries), len(files), tuple(findings))


def decoding_faults(result: Result, folder: Path) -> Iterator[str]:
    """What the codec shows: as many signals of each class as the result says, finite and of the right shape, and what
    of its decoder is reported, not charged."""
    if result.artifact is None or result.bytes is None:
        return
    from ddbench.artifact import load

    try:
        distilled = load(folder)
        yield from _decoder_faults(result.bytes, distilled)
        if distilled.lacking:
            return
        labels = distilled.decode()[1].tolist()
    except DdbenchError as error:
        yield str(error).removesuffix(".")
        return
    counts = tuple(labels.count(k) for k in range(distilled.card.n_classes))
    if counts != result.bytes.signals:
        yield f"it claims {sum(result.bytes.signals)} signals; its set decodes to {len(labels)}, or to others a class"


def _decoder_faults(said: StorageReport, distilled: DistilledSet) -> Iterator[str]:
    """Whether a row is ranked rests on these."""
    from ddbench.run.storage import measure

    found = measure(distilled, distilled.card.cap_bytes)
    for name in ("decoder", "decoder_training_data", "refitted", "free_in_domain"):
        if (claimed := getattr(said, name)) != (real := getattr(found, name)):
            yield f"it claims {claimed!r} as {name} of its bytes; its codec says {real!r}"


def _incomplete(entries: Sequence[Entry]) -> Iterator[Finding]:
    """What tables of these results would lack: mandatory rows, seeds that other rows of the table have."""
    for table in tables([e.result for e in entries]):
        cell = table.cell
        at = f"{cell.dataset_label}, protocol {cell.protocol.name}"
        for said in absent(table):
            yield Finding("incomplete", at, said)
        seeds = {r.cell.seed for row in table.rows if not row.is_ceiling for r in row.ok}
        for row in table.rows:
            lacking = seeds - {r.cell.seed for r in row.ok}
            if lacking and row.ok and not row.is_ceiling:
                named = ", ".join(map(str, sorted(lacking)))
                title = row.cell.title.rpartition(" · seed")[0]
                yield Finding("incomplete", at, f"{title} has no result for seed {named}, which other rows have")
