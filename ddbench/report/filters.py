"""Tables less what a view does not ask for, in the order that it asks for. torch-free."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ddbench.errors import SpecError, did_you_mean
from ddbench.report.dimensions import NOT_OF_CEILINGS, OF_SCORES, label, names_of
from ddbench.report.rows import Row, Score, Table
from ddbench.report.view import View

NO_SCORE: Score = ("", "")


def shown(tables: Sequence[Table], view: View) -> list[Table]:
    """The tables with the rows and columns of a view. Raises: SpecError where a value is unknown or nothing is left."""
    conditions = [(name, _split(name, value, tables)) for name, values in view.where for value in values]
    wanted: dict[str, set[str]] = {}
    for name, values in conditions:
        wanted.setdefault(name, set()).update(values)
    _refuse_unknown(tables, wanted)
    kept = [left for table in tables if (left := _filtered(table, wanted)) is not None]
    if tables and not kept:
        said = " and ".join(f"{name}={','.join(sorted(values))}" for name, values in wanted.items())
        raise SpecError(f"No row has {said}: each is there, but not together.")
    return [_sorted(table, view.sort) for table in kept] if view.sort and not view.is_pivot else kept


def _plain(text: str) -> str:
    """Values are compared without spaces, underscores and case, so that `1ipc` finds `1 ipc`."""
    return re.sub(r"[\s_]", "", text).casefold()


def _scores(name: str, table: Table) -> Sequence[Score]:
    return table.all_scores if name in OF_SCORES else (NO_SCORE,)


def _known(name: str, tables: Sequence[Table]) -> dict[str, str]:
    """Every name of every value of a dimension, plain → as written."""
    found = (n for t in tables for row in t.rows for s in _scores(name, t) for n in names_of(name, t, row, s))
    return {_plain(n): n for n in found}


def _split(name: str, text: str, tables: Sequence[Table]) -> set[str]:
    """The values of a filter; one that holds commas itself is taken whole where the results have it."""
    if _plain(text) in _known(name, tables):
        return {_plain(text)}
    return {_plain(value) for value in re.split(r",(?![^\[{]*[\]}])", text) if value.strip()}


def _refuse_unknown(tables: Sequence[Table], wanted: dict[str, set[str]]) -> None:
    troubles = []
    for name, values in wanted.items():
        known = _known(name, tables)
        for value in sorted(values - known.keys()):
            troubles.append(f"No result has {name} {value!r}. {did_you_mean(value, set(known.values()))}")
    if troubles:
        raise SpecError("\n".join(troubles))


def _filtered(table: Table, wanted: dict[str, set[str]]) -> Table | None:
    def has(row: Row, name: str, score: Score = NO_SCORE) -> bool:
        return bool({_plain(n) for n in names_of(name, table, row, score)} & wanted[name])

    of_rows = [name for name in wanted if name not in OF_SCORES]
    of_scores = [name for name in wanted if name in OF_SCORES]
    stays = [
        all(has(row, name) for name in of_rows if not (row.is_ceiling and name in NOT_OF_CEILINGS))
        for row in table.rows
    ]
    rows = tuple(row for row, stay in zip(table.rows, stays) if stay)
    asked = any(name in NOT_OF_CEILINGS for name in of_rows)
    if not rows or (asked and all(row.is_ceiling for row in rows)):
        return None
    scores = frozenset(s for s in table.all_scores if all(has(rows[0], name, s) for name in of_scores))
    if of_scores and not scores:
        return None
    hidden = tuple(row for row, stay in zip(table.rows, stays) if not stay)
    return replace(table, rows=rows, hidden=hidden, kept=scores if of_scores else None)


def _sorted(table: Table, sort: str) -> Table:
    """Rows of each budget in the order asked for; what has no value comes last, and the ceiling after all."""
    name, down = sort.removeprefix("-"), sort.startswith("-")
    if name == "accuracy" and not table.is_ranked:
        return table

    def value(row: Row) -> float | str | None:
        if name == "accuracy":  # best first
            return -found.mean if table.scores and (found := table.accuracy(row, table.scores[0])) else None
        if name in ("bytes", "items", "seconds"):
            return {"bytes": row.used_bytes, "items": max(row.items, default=None), "seconds": row.seconds}[name]
        return label(name, table, row, NO_SCORE)

    ordered: list[Row] = []
    for group in table.groups:
        valued = [(found, row) for row in group if (found := value(row)) is not None]
        ordered += [row for _, row in sorted(valued, key=lambda pair: pair[0], reverse=down)]  # pyright: ignore[reportArgumentType]
        ordered += [row for row in group if value(row) is None]
    return replace(table, rows=tuple(ordered))
