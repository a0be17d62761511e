"""Pivots: accuracies laid out by two sets of dimensions, never two rows in one cell. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ddbench.canonical import digest
from ddbench.errors import SpecError
from ddbench.report.cells import NOTHING, headings
from ddbench.report.dimensions import LAYABLE, OF_SCORES, label
from ddbench.report.labels import percent
from ddbench.report.notes import ceilings, marks, notes
from ddbench.report.rows import Row, Score, Table, plugin_versions
from ddbench.report.sheet import Sheet, Word
from ddbench.report.view import View

Key = tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One figure, with the table that it stands in."""

    table: Table
    row: Row
    score: Score


@dataclass(frozen=True)
class Pivot:
    """Tables of one protocol and one set of versions, laid out together; the ceiling stands in the notes."""

    tables: tuple[Table, ...]
    view: View

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (*self.view.rows, *self.view.cols)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Figures that have a cell: of the first column and the first student where none is asked for."""
        return tuple(
            Entry(table, row, score)
            for table in self.tables
            for row in table.rows
            for score in table.scores
            if all(score[at] == table.scores[0][at] for at in self._taken) and _has(table, row, score)
        )

    @property
    def _taken(self) -> list[int]:
        """Places in a score, of column and student, where the first is taken because none is asked for."""
        asked = {*self.dimensions, *(name for name, _ in self.view.where)}
        return [at for at, name in enumerate(OF_SCORES) if name not in asked]

    def label(self, name: str, entry: Entry) -> str:
        return label(name, entry.table, entry.row, entry.score, self.dimensions)

    def key(self, names: Sequence[str], entry: Entry) -> Key:
        return tuple(self.label(name, entry) for name in names)

    @cached_property
    def cells(self) -> dict[tuple[Key, Key], Entry]:
        """(row, column) → the one figure there. Raises: SpecError where a cell would hold several."""
        cells: dict[tuple[Key, Key], Entry] = {}
        for entry in self.entries:
            at = self.key(self.view.rows, entry), self.key(self.view.cols, entry)
            if at in cells:
                raise SpecError(self._clash(at))
            cells[at] = entry
        return cells

    @cached_property
    def refusal(self) -> str:
        """Why it cannot be laid out; '' where it can."""
        try:
            _ = self.cells
        except SpecError as error:
            return str(error)
        return ""

    def _clash(self, at: tuple[Key, Key]) -> str:
        """What to say of a cell with several figures: the dimensions that would tell all such figures apart."""
        by_cell: dict[tuple[Key, Key], list[Entry]] = {}
        for entry in self.entries:
            by_cell.setdefault((self.key(self.view.rows, entry), self.key(self.view.cols, entry)), []).append(entry)
        crowds = [entries for entries in by_cell.values() if len(entries) > 1]
        others = [name for name in LAYABLE if name not in self.dimensions]
        missing = [name for name in others if any(len({self.label(name, e) for e in crowd}) > 1 for crowd in crowds)]
        where = " × ".join(f"{name} {value}" for name, value in zip(self.dimensions, (*at[0], *at[1])))
        say = f"Several rows fall into one cell of this pivot ({where}), and rows are never averaged."
        if not missing:
            return f"{say} They differ in what no dimension names; show the long form, without --rows."
        crowded = [entry for crowd in crowds for entry in crowd]
        values = "; ".join(f"{n}: {', '.join(dict.fromkeys(self.label(n, e) for e in crowded))}" for n in missing)
        return f"{say} Add to --rows or --cols, or filter with --where, what sets them apart: {values}."

    @cached_property
    def row_keys(self) -> list[Key]:
        if self.view.sort is None:
            return self._ordered(self.view.rows, [at[0] for at in self.cells])
        name, down = self.view.sort.removeprefix("-"), self.view.sort.startswith("-")
        keys = list(dict.fromkeys(at[0] for at in self.cells))
        if name != "accuracy":
            place = self.view.rows.index(name)
            return sorted(keys, key=lambda key: key[place], reverse=down)
        first = self.col_keys[0]
        worst = [key for key in keys if (key, first) not in self.cells]
        best = [key for key in keys if (key, first) in self.cells]
        if not self.tables[0].is_ranked:
            return keys
        return sorted(best, key=lambda key: _mean(self.cells[key, first]), reverse=not down) + worst

    @cached_property
    def col_keys(self) -> list[Key]:
        return self._ordered(self.view.cols, [at[1] for at in self.cells])

    def _ordered(self, names: Sequence[str], keys: Sequence[Key]) -> list[Key]:
        """Keys with equal beginnings together; values in the order of the tables, budgets from small to large."""
        places: list[dict[str, float]] = []
        for at, name in enumerate(names):
            place: dict[str, float] = {}
            for i, key in enumerate(keys):
                place.setdefault(key[at], i)
            places.append(self._sizes if name == "budget" else place)
        return sorted(dict.fromkeys(keys), key=lambda key: tuple(place[value] for place, value in zip(places, key)))

    @cached_property
    def _sizes(self) -> dict[str, float]:
        """By budget, the fewest bytes that it means for one of the datasets."""
        sizes: dict[str, float] = {}
        for entry in self.entries:
            budget = self.label("budget", entry)
            sizes[budget] = min(sizes.get(budget, float("inf")), entry.row.allowed_bytes or float("inf"))
        return sizes

    @property
    def headings(self) -> list[str]:
        """As of the long form, and what the figures have in common that no dimension says."""
        table = self.tables[0]
        first, *more = headings(table, ", ".join(t.cell.dataset_label for t in self.tables))
        shared = []
        for name in OF_SCORES:
            values = dict.fromkeys(self.label(name, entry) for entry in self.entries)
            if name not in self.dimensions and values:
                shared.append(f"{name} {', '.join(values).replace('_', ' ')}")
        return [f"{first}: {', '.join(shared)}" if shared else first, *more]

    @property
    def notes(self) -> list[str]:
        said = []
        for table in self.tables:
            found = [*ceilings(table, self.view.decimals, everyone=True), *_but_ceilings(table)]
            dataset = f"{table.cell.dataset_label}: " if len(self.tables) > 1 else ""
            said += [dataset + note for note in found]
        return [*said, *self._passed_over]

    @property
    def _passed_over(self) -> list[str]:
        """A sentence that names columns and students which are there but not shown."""
        said = []
        for at in self._taken:
            taken = {table.scores[0][at] for table in self.tables if table.scores}
            if rest := dict.fromkeys(s[at] for table in self.tables for s in table.scores if s[at] not in taken):
                said.append(f"{OF_SCORES[at]} {', '.join(rest).replace('_', ' ')}")
        return [f"Not shown: {'; '.join(said)}."] if said else []

    def sheet(self, versions: Sequence[str] = ()) -> Sheet:
        across, blank = self.col_keys, [""] * len(self.view.rows)
        levels = [[*blank, *names] for names in zip(*across)] or [[*blank, "accuracy"]]
        levels[-1][: len(self.view.rows)] = self.view.rows
        groups: list[list[list[Word]]] = []
        before: Key = ()
        for key in self.row_keys:
            lead = ["" if key[: i + 1] == before[: i + 1] else value for i, value in enumerate(key)]
            line = [*map(Word, lead), *(self._word(self.cells.get((key, col))) for col in across)]
            if groups and (len(key) == 1 or key[:1] == before[:1]):
                groups[-1].append(line)
            else:
                groups.append([line])
            before = key
        return Sheet([*self.headings, *versions], levels, len(self.view.rows), groups, self.notes)

    def _word(self, entry: Entry | None) -> Word:
        found = entry and entry.table.accuracy(entry.row, entry.score)
        if not entry or not found:
            return Word(NOTHING)
        text = percent(found.mean, found.half_width, self.view.decimals) + marks(entry.row)
        return Word(text, entry.table.tie_group(entry.row, entry.score) == 1)

    def records(self) -> list[dict[str, Any]]:
        """A cell each, in the order of the sheet: its place, and the exact figure."""
        found = []
        for row in self.row_keys:
            for col in self.col_keys:
                if entry := self.cells.get((row, col)):
                    found.append(self._record(entry, dict(zip(self.dimensions, (*row, *col)))))
        return found

    def _record(self, entry: Entry, place: dict[str, str]) -> dict[str, Any]:
        found = entry.table.accuracy(entry.row, entry.score)
        assert found is not None
        return {
            "protocol": entry.row.cell.protocol.name,
            "evaluate_on": entry.row.cell.protocol.evaluate_on,
            "dataset": entry.row.cell.dataset_label,
            "column": entry.score[0],
            "student": entry.score[1],
            **place,
            "accuracy": found.mean,
            "half_width": found.half_width,
            "seeds": found.n_seeds,
            "students": found.n_students,
            "tie_group": entry.table.tie_group(entry.row, entry.score),
            "used_bytes": entry.row.used_bytes,
            "allowed_bytes": entry.row.allowed_bytes,
            "is_ranked": entry.table.is_ranked,
        }


def _has(table: Table, row: Row, score: Score) -> bool:
    return not row.is_ceiling and table.accuracy(row, score) is not None


def _mean(entry: Entry) -> float:
    found = entry.table.accuracy(entry.row, entry.score)
    return found.mean if found else -1.0


def _but_ceilings(table: Table) -> list[str]:
    """The notes of a table that are not about ceilings, which a pivot names all."""
    return notes(replace(table, rows=tuple(row for row in table.rows if not row.is_ceiling)))


def pivots(tables: Sequence[Table], view: View) -> list[Pivot]:
    """The tables laid out by a view: several datasets together where `dataset` is one of its dimensions.

    What differs in protocol, split, version or ranking is never in one pivot. Where a cell of one would hold several
    figures, that one is left out (`refusals`). Raises: SpecError where none is left.
    """
    made = _laid(tables, view)
    laid = [pivot for pivot in made if not pivot.refusal]
    if made and not laid:
        raise SpecError("\n".join(dict.fromkeys(pivot.refusal for pivot in made)))
    return [pivot for pivot in laid if pivot.cells]


def refusals(tables: Sequence[Table], view: View) -> list[str]:
    """A sentence for each pivot that is left out."""
    made = _laid(tables, view) if view.is_pivot else []
    return [f"not laid out: {pivot.headings[0]}: {pivot.refusal}" for pivot in made if pivot.refusal]


def _laid(tables: Sequence[Table], view: View) -> list[Pivot]:
    together = "dataset" in (*view.rows, *view.cols)
    drafts: list[tuple[str, dict[tuple[str, str], str], list[Table]]] = []
    for table in tables:
        alike, own = _alike(table), _versions(table)
        for other, known, members in drafts if together else []:
            if other == alike and all(known.get(k, v) == v for k, v in own.items()):
                known.update(own)
                members.append(table)
                break
        else:
            drafts.append((alike, own, [table]))
    return [Pivot(tuple(members), view) for _, _, members in drafts]


def _alike(table: Table) -> str:
    """What tables must have in common to be laid out together, versions of datasets and plug-ins apart."""
    cell = table.cell
    shared = cell.protocol.in_signal_space.model_dump(mode="json")
    return digest([shared, list(cell.versions.students), cell.versions.semantics, table.is_ranked])


def _versions(table: Table) -> dict[tuple[str, str], str]:
    found = {("dataset", table.cell.dataset_label): table.cell.versions.dataset}
    # A dataset stands once in a pivot: two tables of it differ in what must not stand together.
    found["table", table.cell.dataset_label] = str(id(table))
    for row in table.rows:
        found |= plugin_versions(row.cell)
    return found
