"""What stands below a table: what its marks mean, which mandatory rows it lacks. torch-free."""

from __future__ import annotations

from ddbench.report.cells import OVER, RAN_OUT, SEVERAL
from ddbench.report.labels import percent
from ddbench.report.mandatory import absent, left_out
from ddbench.report.row import ON_CODES
from ddbench.report.rows import Row, Score, Table
from ddbench.spec.cell import OWN_RECIPE
from ddbench.stats import Interval


def notes(table: Table, decimals: int = 1) -> list[str]:
    """The notes of a table, a sentence each."""
    found = []
    if any(has_failed(row) for row in table.rows):
        found.append(f"{SEVERAL} some seeds failed and do not count; see below.")
    over = [row for row in table.rows if row.over_bytes]
    if over:
        most = max(row.over_bytes / (row.allowed_bytes or 1) for row in over)
        found.append(f"{OVER} over the cap by side information alone, by at most {100 * most:.1f} % (2 % are allowed).")
    if any(row.ran_out for row in table.rows):
        found.append(f"{RAN_OUT} the budget holds more items than the rarest class has; other rows may hold more.")
    return found + ceilings(table, decimals) + absent(table) + left_out(table)


def has_failed(row: Row) -> bool:
    """Whether a seed of the row has failures alone."""
    return bool({r.cell.seed for r in row.failed} - {r.cell.seed for r in row.ok})


def marks(row: Row) -> str:
    """The marks of a row where a cell holds nothing but its accuracy."""
    return (OVER if row.over_bytes else "") + (RAN_OUT if row.ran_out else "") + (SEVERAL if has_failed(row) else "")


def ceilings(table: Table, decimals: int, everyone: bool = False) -> list[str]:
    """A sentence for each ceiling without a figure in the columns shown; for each one where it has no line itself."""
    said = []
    for row in table.rows:
        if row.is_ceiling and (everyone or not any(table.accuracy(row, score) for score in table.scores)):
            students = dict.fromkeys((network, column.endswith(ON_CODES)) for column, network in table.scores)
            for network, on_codes in students:
                if found := ceiling(table, row, ("x" + ON_CODES if on_codes else "x", network)):
                    score, value = found
                    figure = percent(value.mean, value.half_width, decimals)
                    who = f", {network}" if len(students) > 1 else ""
                    said.append(f"{row.cell.method} (the whole dataset{who}): {figure}, {score[0].replace('_', ' ')}.")
    return said


def ceiling(table: Table, row: Row, score: Score) -> tuple[Score, Interval] | None:
    """A ceiling's figure beside those of a column: it has a protocol of its own, so any column of the same students."""
    on_codes = score[0].endswith(ON_CODES)
    others = (s for s in table.all_scores if s[1] == score[1] and s[0].endswith(ON_CODES) == on_codes)
    same = [s for s in others if s[0] != OWN_RECIPE]
    return next(((s, found) for s in (score, *same) if (found := table.accuracy(row, s))), None)
