"""What became of published results: none may vanish, none may change beyond a tolerance. torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ddbench.result.schema import Result, StudentRun
from ddbench.submission.findings import Checked, Entry, Finding

TOLERANCE = 1e-9
"""Change of an accuracy, a fraction, that still counts as none: room for a number's last digit, not for another run."""

_Place = tuple[str, str, str, str, int]


def changes(new: Checked, old: Checked, tolerance: float = TOLERANCE) -> Iterator[Finding]:
    """Whatever keeps `new` from being `old` with results added; identity is key + run id, whatever the file's name.

    A result that proved wrong is flagged, not removed. What can't be read in `old` holds nobody to anything.
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
        elif abs(old[place].accuracy - new[place].accuracy) > tolerance:
            yield (
                f"the accuracy of {who} changed from {old[place].accuracy:.6g} to {new[place].accuracy:.6g}, by more "
                f"than {tolerance:g}"
            )
        elif (old[place].correct, old[place].n_test) != (
            new[place].correct,
            new[place].n_test,
        ) and tolerance <= TOLERANCE:
            yield f"the items that {who} got right changed"
    if before.cell != after.cell:
        yield "where the arguments of a published result come from (its recipe) changed"


def _by_place(result: Result) -> dict[_Place, StudentRun]:
    return {(r.column, r.network, r.labels, r.space, r.student): r for r in result.runs}
