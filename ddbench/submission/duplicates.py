"""Results that cannot all be what they say: one identity twice, one set or score under several names. torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from ddbench.canonical import canonical
from ddbench.result.schema import Result
from ddbench.spec.mandatory import NAMES
from ddbench.submission.findings import Entry, Finding


def duplicates(entries: Sequence[Entry]) -> Iterator[Finding]:
    """An identity (key and run id) given twice is wrong. A set or a score that several rows share is suspicious.

    Cells that differ in their evaluation alone store the same set, and replications of a key may agree to the bit.
    """
    for same in _groups(entries, lambda r: (r.key, r.run_id)):
        yield Finding("wrong", same[1].where, f"its key and run id are those of {same[0].where} too")
    for same in _groups(entries, lambda r: r.artifact.sha256 if r.artifact else None):
        kinds = _apart(same, _of_the_set)
        if len(kinds) > 1:
            yield _suspicious(kinds, "its distilled set is, to the bit, the set of another cell")
    for same in _groups(entries, _scores):
        kinds = _apart(same, lambda r: r.key)
        if len(kinds) > 1:
            yield _suspicious(kinds, "its students got the very same test items right as those of another cell")


def _suspicious(kinds: Sequence[Entry], text: str) -> Finding:
    return Finding("suspicious", kinds[1].where, f"{text}: {', '.join(e.where for e in kinds if e is not kinds[1])}")


def _groups(entries: Iterable[Entry], by: Callable[[Result], Hashable]) -> Iterator[list[Entry]]:
    """Entries that agree in a value, where two or more do; None agrees with nothing."""
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        if (value := by(entry.result)) is not None:
            groups[value].append(entry)
    return (group for group in groups.values() if len(group) > 1)


def _apart(entries: Sequence[Entry], by: Callable[[Result], Hashable]) -> list[Entry]:
    """The first entry of each kind."""
    return list({by(e.result): e for e in reversed(entries)}.values())[::-1]


def _of_the_set(result: Result) -> str:
    """What decides the stored set: the cell but for its students. A selector does not look at the match network.

    Nor need it look at the seed: herding ranks items and draws none. `random` draws, and so does what is learned.
    """
    aside = {"recipe", "origin", "own_recipe", "protocol", "network", "space"}
    if not result.losses and result.cell.method.name != NAMES.random:
        aside.add("seed")
    cell = result.cell.model_dump(mode="json", exclude=aside)
    versions = {k: v for k, v in cell.pop("versions").items() if k not in ("students", "network")}
    matched = [result.cell.network.model_dump(mode="json"), result.cell.space] if result.losses else None
    return canonical([cell, versions, matched, result.cell.protocol.evaluate_on])


def _scores(result: Result) -> tuple[object, ...] | None:
    runs = [(r.column, r.network, r.labels, r.space, r.student, r.n_test, r.correct) for r in result.runs]
    # a student that gets nothing, or everything, right is no fingerprint
    return tuple(runs) if any(0 < run.accuracy < 1 for run in result.runs) else None
