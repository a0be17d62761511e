"""Boards: the tables of a leaderboard with names for their pages, and what is known of each row's trust. torch-free."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from ddbench.canonical import digest
from ddbench.leaderboard.found import Entry
from ddbench.report.labels import codec_label, method_label
from ddbench.report.mandatory import absent
from ddbench.report.rows import Row, Table, tables_of_rows
from ddbench.result.labels import Flag, Label, Labels, Verification
from ddbench.result.schema import Result

ID_LETTERS = 16


@dataclass(frozen=True)
class Standing:
    """A row of a board: its page's name, its group of ties, and whether it may be trusted."""

    row: Row
    id: str
    codec: str
    method: str
    group: int | None
    """1 is the best of its budget; a group is not told apart from its best row. None where nothing can be said."""
    label: Label
    flags: tuple[Flag, ...]
    entries: tuple[Entry, ...]
    verifications: tuple[Verification, ...]

    @property
    def is_withdrawn(self) -> bool:
        return any(flag.kind == "withdrawn" for flag in self.flags)

    @property
    def trust(self) -> str:
        """What a table says of it: the label, a check that disagrees, flags."""
        said = [self.label, *(f.kind for f in self.flags)]
        if any(v.verdict == "disagrees" for v in self.verifications):
            said.insert(1, "a check disagrees")
        return ", ".join(dict.fromkeys(said))

    @property
    def name(self) -> str:
        return f"{self.codec} × {self.method}" if self.codec else self.method


@dataclass(frozen=True)
class Board:
    """A table with the name of its page, and its rows' standings in the table's order."""

    table: Table
    id: str
    standings: tuple[Standing, ...]
    is_withdrawn: bool = False
    """Holds rows that their authors or the maintainers took back: they keep their pages and their addresses."""

    @property
    def dataset(self) -> str:
        return self.table.cell.dataset_label

    @cached_property
    def title(self) -> str:
        return f"{self.dataset}, protocol {self.table.cell.protocol.name}" + "".join(f", {m}" for m in self.marks)

    @cached_property
    def marks(self) -> list[str]:
        """What sets the board apart from those whose rows are ranked by test accuracy."""
        scored = [] if self.table.cell.protocol.evaluate_on == "test" else ["validation split"]
        ranked = [] if self.table.is_ranked else ["not ranked"]
        return scored + ranked + (["withdrawn"] if self.is_withdrawn else [])

    @cached_property
    def absent(self) -> list[str]:
        """Which mandatory rows are not there, in sentences; of withdrawn rows nothing is asked."""
        return [] if self.is_withdrawn else absent(self.table)

    @cached_property
    def groups(self) -> list[list[Standing]]:
        """Standings of each budget."""
        groups: dict[str, list[Standing]] = defaultdict(list)
        for standing in self.standings:
            groups[str(standing.row.cell.budget)].append(standing)
        return list(groups.values())


def boards(entries: Sequence[Entry], labels: Labels) -> list[Board]:
    """The boards of these results, and after them those of withdrawn rows."""
    by_run = {(e.result.key, e.result.run_id): e for e in entries}
    results = [e.result for e in entries]
    ranked = {(r.key, r.run_id) for r in labels.ranked(results)}
    kept = [e for run, e in by_run.items() if run in ranked]
    gone = [e for run, e in by_run.items() if run not in ranked]
    taken: dict[str, int] = defaultdict(int)
    found = []
    for some, withdrawn in ((kept, False), (gone, True)):
        for table in tables_of_rows((e.unseeded, e.result) for e in some):
            standings = [_standing(table, row, labels, by_run, withdrawn) for row in table.rows]
            name = _name(table, withdrawn)
            taken[name] += 1
            again = f"-{taken[name]}" if taken[name] > 1 else ""
            found.append(Board(table, name + again, tuple(standings), withdrawn))
    return found


def _standing(
    table: Table, row: Row, labels: Labels, by_run: dict[tuple[str, str], Entry], withdrawn: bool
) -> Standing:
    method = method_label(row.cell, table.differing(row))
    if table.has_several_match_networks and row.is_matched:
        method += f" via {row.cell.network}"
    spaces = row.cell.protocol.student_spaces
    if "code" in spaces and any(r.cell.protocol.student_spaces != spaces for r in table.rows):
        method += ", students on codes too"
    flags = dict.fromkeys(flag for r in row.results if (flag := labels.flag(r)))
    verified = bool(row.ok) and all(labels.label(r) == "verified" for r in row.ok)
    entries = tuple(by_run[r.key, r.run_id] for r in row.results)
    name = entries[0].unseeded + (" withdrawn" if withdrawn else "")
    return Standing(
        row=row,
        id=sha256(name.encode()).hexdigest()[:ID_LETTERS],
        codec="" if row.is_ceiling else codec_label(row.cell),
        method=method,
        group=table.tie_group(row, table.scores[0]) if table.scores and not withdrawn else None,
        label="verified" if verified else "self-reported",
        flags=tuple(flags),
        entries=entries,
        verifications=tuple(v for r in row.results if (v := labels.verification(r))),
    )


def _name(table: Table, withdrawn: bool) -> str:
    """A file name that says which board it is and stays when rows are added."""
    cell = table.cell
    protocol = cell.protocol.in_signal_space
    said = "-".join(re.sub(r"[^a-z0-9]+", "-", s.lower()).strip("-")[:40] for s in (cell.dataset.name, protocol.name))
    said += "" if table.is_ranked else "-not-ranked"
    letters = digest([cell.dataset.model_dump(), protocol.model_dump(mode="json")])[:6]
    return f"{said.strip('-')}-{letters}" + ("-withdrawn" if withdrawn else "")


def failed(entries: Sequence[Entry]) -> list[Result]:
    """The results of cells that failed, by title."""
    return sorted((e.result for e in entries if e.result.status != "ok"), key=lambda r: (r.cell.title, r.key, r.run_id))
