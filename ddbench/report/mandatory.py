"""The rows that every learned row must stand beside (DESIGN.md §5), and which of them a table lacks. torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ddbench.report.rows import Row, Table
from ddbench.result.schema import Result
from ddbench.spec.mandatory import NAMES, Absent, absent_beside


def absent(table: Table) -> list[str]:
    """A sentence for each budget of the table that lacks mandatory rows; failed rows are absent ones.

    The rule is `ddbench.spec.mandatory`'s. A table imports no plug-in, so it knows that a codec takes the data only
    where a row of this table shows it, and says so. Rows that a filter hides are there.
    """
    said = []
    for budget, found in _lacking(table, (*table.beside, *table.hidden)):
        sure = ", ".join(str(row) for row in found if row.is_sure)
        other = ", ".join(str(row) for row in found if not row.is_sure)
        if other:
            other = f"where the codec takes these data: {other}"
        said.append(f"{budget}: absent mandatory rows: {'; '.join(p for p in (sure, other) if p)}")
    return said


def left_out(table: Table) -> list[str]:
    """A sentence for each budget whose mandatory rows are there, but hidden by a filter."""
    gone = {(budget, str(row)) for budget, found in _lacking(table, (*table.beside, *table.hidden)) for row in found}
    said = []
    for budget, found in _lacking(table, table.beside):
        if rows := [str(row) for row in found if (budget, str(row)) not in gone]:
            said.append(f"{budget}: mandatory rows that the filter leaves out: {', '.join(rows)}")
    return said


def _lacking(table: Table, others: Sequence[Row]) -> list[tuple[str, list[Absent]]]:
    """By budget, the mandatory rows that are neither in the table nor among `others`."""
    ok = [result for row in (*table.rows, *table.beside, *table.hidden) for result in row.ok]
    proven = {result.cell.codec.name for result in ok}
    lacking = []
    for group in table.groups:
        results = [result for row in group if row.is_learned for result in row.ok]
        learned = [result.cell for result in results]

        def takes(codec: str, at: tuple[Result, ...] = tuple(results[:1])) -> bool | None:
            if codec == NAMES.identity:
                return _holds_a_signal(at, ok)
            return True if codec in proven else None

        there = [*group, *(row for row in others if row.cell.budget == group[0].cell.budget)]
        found = absent_beside(learned, [result.cell for row in there for result in row.ok], takes) if learned else []
        if found:
            lacking.append((str(learned[0].budget), found))
    return lacking


def _holds_a_signal(learned: Iterable[Result], ok: Iterable[Result]) -> bool | None:
    """Whether the budget holds a float32 signal a class: `ipc` says it, else rows of the identity codec show it."""
    for result in learned:
        budget, report = result.cell.budget, result.bytes
        if budget is None or report is None or report.allowed is None:
            continue
        if budget.ipc is not None:
            return budget.ipc >= 1
        for other in ok:
            cell, stored = other.cell, other.bytes
            if (
                (cell.codec.name, cell.storage) == (NAMES.identity, "float32")
                and stored is not None
                and any(stored.items)
            ):
                return report.allowed * sum(stored.items) >= len(stored.items) * (stored.used - stored.side)
    return None
