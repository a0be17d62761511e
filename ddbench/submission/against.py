"""What became of published results: none may vanish, none may change beyond a tolerance. torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ddbench.result.schema import Result, StudentRun
from ddbench.submission.findings import Checked, Entry, Finding

TOLERANCE = 1e-9
"""Change of an accuracy, a fraction, that still counts as none: room for a number's last digit, not for another run."""

_Place = tuple[str, str, str, str, int]

TOLD_APART = {"status", "bytes", "artifact", "cell", "key", "run_id", "runs", "notes"}
"""Fields of a result that have a sentence of their own; whatever is not named here has to stay as it was."""
SCORED = {"accuracy", "correct"}
"""The same of a student."""


def changes(new: Checked, old: Checked, tolerance: float = TOLERANCE) -> Iterator[Finding]:
    """Whatever keeps `new` from being `old` with results added; identity is key + run id, whatever the file's name.

    The tolerance is for accuracies alone; a note may be added, and nothing else may differ. A result that proved wrong
    is flagged, not removed. What can't be read in `old` holds nobody to anything.
    """
    now: Mapping[tuple[str, str], Entry] = {(e.result.key, e.result.run_id): e for e in new.entries}
    by_run = {e.result.run_id: e for e in new.entries}
    for entry in old.entries:
        before = entry.result
        found = now.get((before.key, before.run_id))
        if found is not None:
            for text in _changed(before, found.result, tolerance):
                yield Finding("wrong", found.where, text)
        elif (other := by_run.get(before.run_id)) is not None:
            keys = f"{before.key[:12]}… to {other.result.key[:12]}…"
            yield Finding("wrong", other.where, f"the key of a published result changed from {keys}")
        else:
            text = f"the published result {before.key[:12]}… ({before.cell.title}) is gone. Flag it instead"
            yield Finding("wrong", entry.where, text)


def _changed(before: Result, after: Result, tolerance: float) -> Iterator[str]:
    if before.status != after.status:
        yield f"the status of a published result changed from {before.status} to {after.status}"
    if before.bytes != after.bytes:
        used = [None if b is None else b.used for b in (before.bytes, after.bytes)]
        what = f"from {used[0]} to {used[1]}" if used[0] != used[1] else "in their parts"
        yield f"the bytes of a published result changed {what}"
    if (before.artifact and before.artifact.sha256) != (after.artifact and after.artifact.sha256):
        yield "the distilled set of a published result changed"
    old, new = _by_place(before), _by_place(after)
    for place in sorted({*old, *new}):
        column, network, labels, space, student = place
        who = f"student {student} of {network} ({column}, {labels} labels, {space})"
        if place not in new:
            yield f"{who} of a published result is gone"
        elif place not in old:
            yield f"{who} was added to a published result"
        else:
            yield from _rescored(old[place], new[place], who, tolerance)
    if before.cell != after.cell:
        yield "where the arguments of a published result come from (its recipe) changed"
    if gone := [note for note in before.notes if note not in after.notes]:
        yield f"a note of a published result is gone: {gone[0][:80]!r}"
    if changed := _fields(before, after, TOLD_APART):
        yield f"{', '.join(changed)} of a published result changed"


def _rescored(before: StudentRun, after: StudentRun, who: str, tolerance: float) -> Iterator[str]:
    if abs(before.accuracy - after.accuracy) > tolerance:
        yield (
            f"the accuracy of {who} changed from {before.accuracy:.6g} to {after.accuracy:.6g}, by more than "
            f"{tolerance:g}"
        )
    elif tolerance <= TOLERANCE and before.correct != after.correct:
        yield f"the items that {who} got right changed"
    if changed := _fields(before, after, SCORED):
        yield f"{', '.join(changed)} of {who} changed"


def _fields(before: Result | StudentRun, after: Result | StudentRun, apart: set[str]) -> list[str]:
    """Names of the fields that differ, but for those that are told `apart`."""
    names = [name for name in type(before).model_fields if name not in apart]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _by_place(result: Result) -> dict[_Place, StudentRun]:
    return {(r.column, r.network, r.labels, r.space, r.student): r for r in result.runs}
