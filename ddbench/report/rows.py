"""Results put together into rows and tables: what may stand side by side, and in which order. torch-free.

A row is a cell without its seed. A table holds rows of one dataset, one evaluation protocol, one scored split and one
set of versions; anything else is another table. Students on codes have columns of their own, and rows whose decoder
rests on the dataset itself and costs nothing have a table of their own that is not ranked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ddbench.canonical import canonical, digest
from ddbench.report.labels import arguments
from ddbench.report.row import ON_CODES as ON_CODES
from ddbench.report.row import OWN_LABELS as OWN_LABELS
from ddbench.report.row import RAN_OUT as RAN_OUT
from ddbench.report.row import SPACES as SPACES
from ddbench.report.row import UNSEEN as UNSEEN
from ddbench.report.row import Row as Row
from ddbench.report.row import Score as Score
from ddbench.report.row import column_of as column_of
from ddbench.report.row import student_label as student_label
from ddbench.result.schema import Result, StudentRun
from ddbench.spec.cell import OWN_RECIPE, Cell, Column
from ddbench.spec.labels import differing
from ddbench.spec.mandatory import NAMES
from ddbench.spec.networks import labels, unseen
from ddbench.stats import Interval, tie_groups


@dataclass(frozen=True)
class Table:
    """Rows that may be compared, grouped by budget from small to large, best first; the ceiling comes last."""

    rows: tuple[Row, ...]
    beside: tuple[Row, ...] = ()
    """Of a table that is not ranked, the rows of the ranked one that it belongs to."""
    hidden: tuple[Row, ...] = ()
    """Rows that a filter leaves out; what is said of the others may still rest on them."""
    kept: frozenset[Score] | None = None
    """Columns of accuracies that a filter leaves; None for all."""

    @cached_property
    def is_ranked(self) -> bool:
        """False where decoders are free that were fitted on these data; rows then stand by name."""
        return not any(row.is_unranked for row in self.rows)

    @property
    def cell(self) -> Cell:
        return self.rows[0].cell

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """The columns of accuracies that are shown."""
        return tuple(s for s in self.all_scores if self.kept is None or s in self.kept)

    @cached_property
    def all_scores(self) -> tuple[Score, ...]:
        """Columns of accuracies, in the protocol's order, those of students on codes after the others.

        Within one, networks stand in the order of the results, UNSEEN after them, students on own labels last.
        """
        kinds: dict[tuple[str, ...], StudentRun] = {}
        for run in (run for row in self.rows for result in row.ok for run in result.runs):
            kinds.setdefault((run.column, run.space, run.network, run.labels), run)
        runs = kinds.values()
        several = len({run.network for run in runs}) > 1 and any(self.unseen(row) for row in self.rows)
        found: list[Score] = []
        for space in SPACES:
            there = [run for run in runs if run.space == space and run.column != OWN_RECIPE]
            hard, own = (dict.fromkeys(student_label(r) for r in there if r.labels == kind) for kind in ("hard", "own"))
            shown = [*hard, *([UNSEEN] if hard and several else []), *own]
            found += [(column_of(c, space), label) for c in self.cell.protocol.columns for label in shown]
        own = [student_label(run) for run in runs if run.column == OWN_RECIPE]
        found += [(OWN_RECIPE, label) for label in dict.fromkeys(own)]
        return tuple(found)

    def unseen(self, row: Row) -> tuple[str, ...]:
        """Labels of the student networks that the row's matching did not use.

        The ceiling matches nothing: its are those that no other row's matching used, so that it can stand beside them.
        """
        if not row.is_ceiling:
            return unseen(row.cell)
        others = [set(unseen(r.cell)) for r in self.rows if not r.is_ceiling]
        return tuple(name for name in labels(row.cell.protocol.networks) if all(name in names for names in others))

    def accuracy(self, row: Row, score: Score) -> Interval | None:
        """A row's figure in one of `scores`; None where it has none."""
        return row.mean_over(score[0], self._students(row, score))

    def sampled(self, row: Row, score: Score) -> Interval | None:
        """The same with the half widths for test sampling, made of every student's answers."""
        return row.sampled(score[0], self._students(row, score))

    def _students(self, row: Row, score: Score) -> tuple[str, ...]:
        return self.unseen(row) if score[1] == UNSEEN else (score[1],)

    def by_seed(self, row: Row, score: Score) -> dict[int, list[float]]:
        """The accuracies behind a row's figure, by seed; nothing where it has none."""
        return row.by_seed(score[0], self._students(row, score))

    def tie_group(self, row: Row, score: Score) -> int | None:
        """Which rows of its budget a row is level with by paired differences over seeds: 1 holds the best.

        None where the table is not ranked, in the column of own recipes, for the ceiling, and where there are no two
        seeds to compare.
        """
        return self._tie_groups.get((id(row), score))

    @cached_property
    def _tie_groups(self) -> dict[tuple[int, Score], int | None]:
        found: dict[tuple[int, Score], int | None] = {}
        for group in self.groups if self.is_ranked else []:
            for score in (s for s in self.all_scores if s[0] != OWN_RECIPE):
                scored = [(row, seeds) for row in group if not row.is_ceiling and (seeds := self.by_seed(row, score))]
                if len(scored) > 1:
                    numbers = tie_groups([seeds for _, seeds in scored])
                    found |= {(id(row), score): number for (row, _), number in zip(scored, numbers)}
        return found

    @cached_property
    def groups(self) -> list[list[Row]]:
        """Rows of each budget."""
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            groups[str(row.cell.budget)].append(row)
        return list(groups.values())

    @cached_property
    def all_rows(self) -> tuple[Row, ...]:
        """Those that a filter hides and those beside too: what is said of a row may rest on any."""
        return (*self.rows, *self.hidden, *self.beside)

    @cached_property
    def ceilings(self) -> tuple[Row, ...]:
        return tuple(row for row in self.all_rows if row.is_ceiling)

    @cached_property
    def randoms(self) -> dict[str, Row]:
        """Rows of `random` by `stored_as` of their cells.

        The match space means nothing to a selector; a suite that has both writes the one of signals.
        """
        found: dict[str, Row] = {}
        for space in SPACES:
            for row in self.all_rows:
                if row.cell.method.name == NAMES.random and row.ok and row.cell.space == space:
                    found.setdefault(row.stored_as, row)
        return found

    @cached_property
    def has_several_match_networks(self) -> bool:
        return len({r.network for r in self.rows if r.is_matched}) > 1

    @cached_property
    def shows_signals(self) -> bool:
        """Whether any row decodes to other numbers of signals than it stores items."""
        return any(row.items != row.signals for row in self.rows)

    def differing(self, row: Row) -> list[str]:
        """Arguments of the row's method that set rows of this table with the same codec and space apart."""
        return self._differing[row.place]

    @cached_property
    def _differing(self) -> dict[str, list[str]]:
        rivals: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            rivals[row.place].append(row.cell.method.args)
        return {place: differing(args) for place, args in rivals.items()}


@dataclass
class _Draft:
    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def tables(results: Iterable[Result]) -> list[Table]:
    """The tables that these results make, by dataset, then test before validation, then protocol."""
    return tables_of_rows((result.cell.unseeded, result) for result in results)


def tables_of_rows(named: Iterable[tuple[str, Result]]) -> list[Table]:
    """The same of results that come with `Cell.unseeded` of their cells, which takes long to make of thousands."""
    by_row: dict[str, list[Result]] = defaultdict(list)
    for unseeded, result in named:
        by_row[unseeded].append(result)
    rows = [Row(tuple(sorted(group, key=lambda r: (r.cell.seed, r.run_id)))) for group in by_row.values()]
    kinds: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        kinds[_comparable(row.cell), row.is_unranked].append(row)
    found = [
        Table(tuple(_in_order(draft.rows)), tuple(kinds.get((alike, False), ())) if unranked else ())
        for (alike, unranked), kind in kinds.items()
        for draft in _by_versions(kind)
    ]
    return sorted(found, key=lambda t: (*_table_order(t.cell), not t.is_ranked))


def _comparable(cell: Cell) -> str:
    """What must be equal for two cells to stand in one table, versions of codecs and methods apart."""
    versions = cell.versions.model_dump(include={"dataset", "students", "semantics"})
    protocol = cell.protocol.model_dump(mode="json", exclude={"student_spaces"})
    return canonical([cell.dataset.model_dump(), protocol, versions])


def plugin_versions(cell: Cell) -> dict[tuple[str, str], str]:
    """(kind, name) → version, of what a table has in one version only."""
    return {
        # behind the plus stands what a version has from the arguments: the digest of the weights that they name
        ("codec", cell.codec.name): cell.versions.codec.partition("+")[0],
        ("weights", cell.codec.name + arguments(cell.codec.args)): cell.versions.codec,
        ("method", cell.method.name): cell.versions.method,
        ("network", cell.network.name): cell.versions.network,
    }


def _by_versions(rows: Sequence[Row]) -> list[_Draft]:
    """Rows dealt out, newest versions first, so that each plug-in has one version in a table."""
    drafts: list[_Draft] = []
    for row in sorted(rows, key=lambda r: (r.cell.versions.codec, r.cell.versions.method), reverse=True):
        own = plugin_versions(row.cell)
        for draft in drafts:
            if all(draft.versions.get(k, v) == v for k, v in own.items()):
                break
        else:
            drafts.append(draft := _Draft())
        draft.versions |= own
        draft.rows.append(row)
    return drafts


def _in_order(rows: Sequence[Row]) -> list[Row]:
    caps: dict[str, float] = {}
    for row in rows:
        budget = str(row.cell.budget)
        caps[budget] = min(caps.get(budget, float("inf")), row.allowed_bytes or float("inf"))

    def order(row: Row) -> tuple[object, ...]:
        cell = row.cell
        columns: tuple[Column, ...] = ("equal_steps", cell.protocol.columns[0])
        scores = [(column_of(column, space), _first_network(row)) for space in SPACES for column in columns]
        # What was scored on codes alone is no better or worse than what was scored on signals: it comes after.
        found = ((i, -mean.mean) for i, score in enumerate(scores) if (mean := row.accuracy(score)))
        best = (0, 0.0) if row.is_unranked else next(found, (len(scores), 0.0))
        names = (cell.codec.name, arguments(cell.codec.args), cell.storage, cell.method.name, cell.space)
        return row.is_ceiling, caps[str(cell.budget)], str(cell.budget), best, names

    return sorted(rows, key=order)  # pyright: ignore[reportArgumentType]


def _first_network(row: Row) -> str:
    return next((student_label(run) for r in row.ok for run in r.runs), "")


def _table_order(cell: Cell) -> tuple[str, ...]:
    protocol = cell.protocol
    shared = digest(protocol.in_signal_space.model_dump(mode="json"))
    return cell.dataset.name, protocol.evaluate_on, protocol.name, shared
