"""The rows that every learned row must stand beside (DESIGN.md §5), and which of them a table lacks. torch-free."""

from __future__ import annotations

from ddbench.report.rows import Table
from ddbench.spec.mandatory import absent_beside


def absent(table: Table) -> list[str]:
    """A sentence for each budget of the table that lacks mandatory rows; failed rows are absent ones.

    The rule is `ddbench.spec.mandatory`'s. A table imports no plug-in, so it knows that a codec takes the data only
    where a row of this table shows it, and says so.
    """
    proven = {row.cell.codec.name for row in (*table.rows, *table.beside) if row.ok}

    def takes(codec: str) -> bool | None:
        return True if codec in proven else None

    said = []
    for group in table.groups:
        learned = [result.cell for row in group if row.is_learned for result in row.ok]
        there = [*group, *(row for row in table.beside if row.cell.budget == group[0].cell.budget)]
        found = absent_beside(learned, [result.cell for row in there for result in row.ok], takes) if learned else []
        sure = ", ".join(str(row) for row in found if row.is_sure)
        other = ", ".join(str(row) for row in found if not row.is_sure)
        if other:
            other = f"where the codec takes these data: {other}"
        if found:
            said.append(f"{learned[0].budget}: absent mandatory rows: {'; '.join(p for p in (sure, other) if p)}")
    return said
