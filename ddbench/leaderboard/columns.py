"""The columns of a board: what a reader sees in each, and the number by which it is sorted. torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ddbench.leaderboard.board import Board, Standing
from ddbench.report.cells import NOTHING, RAN_OUT, SEVERAL
from ddbench.report.labels import count, percent, span
from ddbench.report.rows import Row, Score


@dataclass(frozen=True)
class Shown:
    """A table's cell: its text, and its number where it has one."""

    text: str
    number: float | None = None

    @property
    def sort(self) -> str:
        """The number in as few digits as give it back; '' sorts last, whichever way."""
        return "" if self.number is None else repr(self.number)


@dataclass(frozen=True)
class Column:
    """A heading, what it means, whether larger is better (which comes first when sorted), and the cells."""

    name: str
    help: str
    of: Callable[[Standing], Shown]
    is_score: bool = False


def columns(board: Board) -> list[Column]:
    """Columns after the row's name; scores come first, so that a narrow screen shows them."""
    table = board.table
    several = len({network for _, network in table.scores}) > 1
    found = []
    if any(s.group is not None for s in board.standings):
        found.append(
            Column("ties", "Rows with one number are not told apart from the best of them at their budget.", _group)
        )
    for score in table.scores:
        name = score[0].replace("_", " ") + (f" {score[1]}" if several else "")
        found.append(Column(name, "Accuracy in percent ± half width of the interval.", _score(board, score), True))
    found.append(Column("bytes", "Bytes of the whole set, and their share of the cap.", lambda s: _bytes(s.row)))
    found.append(Column("items a class", "Stored items of each class.", lambda s: _items(s.row)))
    if any(s.row.items != s.row.signals for s in board.standings):
        found.append(Column("signals a class", "What the items decode to.", lambda s: _span(s.row.signals)))
    for column in table.cell.protocol.columns:
        several_columns = len(table.cell.protocol.columns) > 1
        name = "updates" + (f", {column.replace('_', ' ')}" if several_columns else "")
        found.append(Column(name, "Updates of a student.", lambda s, c=column: _count(s.row.steps(c))))
    found.append(
        Column("seconds", "Seconds a cell, all phases, on the machine that ran it.", lambda s: _seconds(s.row))
    )
    found.append(Column("seeds", "Distillation seeds that count.", lambda s: _seeds(s.row)))
    found.append(
        Column(
            "checked",
            "self-reported, or verified by others' students; a check that disagrees is named.",
            lambda s: Shown(s.trust),
        )
    )
    return found


def _score(board: Board, score: Score) -> Callable[[Standing], Shown]:
    def shown(standing: Standing) -> Shown:
        found = board.table.accuracy(standing.row, score)
        return Shown(NOTHING) if found is None else Shown(percent(found.mean, found.half_width), found.mean)

    return shown


def _group(standing: Standing) -> Shown:
    return Shown(NOTHING) if standing.group is None else Shown(str(standing.group), standing.group)


def _bytes(row: Row) -> Shown:
    if row.used_bytes is None:
        return Shown(NOTHING)
    share = f" ({100 * row.used_bytes / row.allowed_bytes:.0f} %)" if row.allowed_bytes else ""
    return Shown(f"{row.used_bytes:,}{share}{'!' if row.over_bytes else ''}", row.used_bytes)


def _items(row: Row) -> Shown:
    shown = _span(row.items)
    return Shown(shown.text + (RAN_OUT if row.ran_out else ""), shown.number)


def _span(values: tuple[int, ...]) -> Shown:
    return Shown(span(values), min(values, default=None))


def _count(n: int | None) -> Shown:
    return Shown(NOTHING) if n is None else Shown(count(n), n)


def _seconds(row: Row) -> Shown:
    return Shown(NOTHING) if row.seconds is None else Shown(f"{row.seconds:,.1f}", row.seconds)


def _seeds(row: Row) -> Shown:
    ok = {r.cell.seed for r in row.ok}
    lost = {r.cell.seed for r in row.failed} - ok
    return Shown(f"{len(ok)} of {len(ok | lost)}{SEVERAL}" if lost else str(len(ok)), len(ok))


def footnotes(board: Board) -> list[str]:
    """What the marks in the cells mean, as far as they occur."""
    rows = [s.row for s in board.standings]
    notes = []
    if any(r.failed and {x.cell.seed for x in r.failed} - {x.cell.seed for x in r.ok} for r in rows):
        notes.append(f"{SEVERAL} some seeds failed and do not count; the row's page says why.")
    if over := [r for r in rows if r.over_bytes]:
        most = max(r.over_bytes / (r.allowed_bytes or 1) for r in over)
        notes.append(f"! over the cap by side information alone, by at most {100 * most:.1f} % (2 % are allowed).")
    if any(r.ran_out for r in rows):
        notes.append(f"{RAN_OUT} the budget holds more items than the rarest class has; other rows may hold more.")
    return notes
