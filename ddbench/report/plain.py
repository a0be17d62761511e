"""Tables as data: CSV, JSON and Parquet with exact numbers, accuracies as fractions. torch-free."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ddbench.errors import RunError
from ddbench.report import dd_ranking, reported
from ddbench.report.cells import headings
from ddbench.report.long import versions_apart
from ddbench.report.mandatory import absent, left_out
from ddbench.report.notes import ceilings
from ddbench.report.pivot import pivots
from ddbench.report.records import record
from ddbench.report.rows import Row, Table
from ddbench.report.scores import areas, scores_of
from ddbench.report.view import View


def content(made: Sequence[Table], failures: Sequence[str], view: View) -> dict[str, Any]:
    """All that the tables say, as JSON has it."""
    found: dict[str, Any] = {"tables": _pivots(made, view) if view.is_pivot else _tables(made, view)}
    found["failures"] = list(failures)
    if view.reported:
        found["reported"] = [f.record() for _, those in reported.blocks(made, view.reported) for f in those]
    return found


def _tables(made: Sequence[Table], view: View) -> list[dict[str, Any]]:
    apart = versions_apart(made)
    found = []
    for i, table in enumerate(made):
        said: dict[str, Any] = {
            "headings": [*headings(table), *apart.get(i, [])],
            "rows": [_row(table, row, view, made) for row in table.rows],
            "absent_mandatory_rows": absent(table),
        }
        if table.hidden:
            said["mandatory_rows_left_out"] = left_out(table)
        if view.scores:
            said["areas"] = [area.record() for score in table.scores for area in areas(table, score)]
        found.append(said)
    return found


def _row(table: Table, row: Row, view: View, made: Sequence[Table]) -> dict[str, Any]:
    found = record(table, row)
    if view.scores:
        for column, student in table.scores:
            found["scores"][f"{column}/{student}"] |= scores_of(table, row, (column, student)).record()
    if view.dd_ranking and not row.is_ceiling:
        for column, student in dd_ranking.columns(table):
            found["scores"][f"{column}/{student}"] |= dd_ranking.ranking(table, row, (column, student), made).record()
    return found


def _pivots(made: Sequence[Table], view: View) -> list[dict[str, Any]]:
    return [
        {
            "headings": pivot.headings,
            "rows": list(view.rows),
            "cols": list(view.cols),
            "cells": pivot.records(),
            "ceilings": [line for table in pivot.tables for line in ceilings(table, view.decimals, everyone=True)],
            "absent_mandatory_rows": [line for table in pivot.tables for line in absent(table)],
            "mandatory_rows_left_out": [line for table in pivot.tables for line in left_out(table)],
        }
        for pivot in pivots(made, view)
    ]


def as_json(made: Sequence[Table], failures: Sequence[str], view: View) -> str:
    found = content(made, failures, view)
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(made: Sequence[Table], failures: Sequence[str], view: View) -> str:
    """A line for each row or pivot cell; reported figures after them, in columns of their own."""
    records = _records(content(made, failures, view))
    text = io.StringIO()
    writer = csv.DictWriter(text, _names(records), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def unsaid(made: Sequence[Table], failures: Sequence[str]) -> list[str]:
    """What CSV has no place for: absent rows and failures."""
    return [line for table in made for line in (*absent(table), *left_out(table))] + [f"failed: {f}" for f in failures]


def as_parquet(made: Sequence[Table], failures: Sequence[str], view: View) -> bytes:
    """The records of CSV, typed; headings, absent rows and failures in the file's metadata, under `ddbench`."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RunError(
            "Parquet needs pyarrow, which comes with `datasets`: install it, or take --format csv."
        ) from error
    found = content(made, failures, view)
    records = _records(found)
    columns = {name: _typed([r.get(name) for r in records], name, pa) for name in _names(records)}
    said = {**found, "tables": [{k: v for k, v in t.items() if k not in ("rows", "cells")} for t in found["tables"]]}
    arrow = pa.table(columns).replace_schema_metadata({"ddbench": json.dumps(said, allow_nan=False)})
    out = io.BytesIO()
    pq.write_table(arrow, out)
    return out.getvalue()


def _typed(values: list[Any], name: str, pa: Any) -> Any:
    """A column; one without any value has the type that its name asks for."""
    if all(value is None for value in values):
        return pa.array(values, pa.string() if name in ("budget", "kind") else pa.float64())
    if len({type(v) for v in values if v is not None} - {int, float, bool}) == 0:
        return pa.array(values)
    return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())


def _records(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = [flat(r) for table in found["tables"] for r in table.get("cells", table["rows"])]
    if "reported" not in found:
        return own
    shared = ("kind", "dataset", "budget", "method", "codec")
    others = [{k if k in shared else f"reported.{k}": v for k, v in r.items()} for r in found["reported"]]
    return [{"kind": "measured", **r} for r in own] + others


def _names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for r in records for name in r))


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Mappings in a record as names with dots; arguments and lists as JSON."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict) and not name.endswith("_args"):
            found |= flat(inner, f"{prefix}{name}.")
        else:
            found[prefix + name] = json.dumps(inner) if isinstance(inner, dict | list) else inner
    return found
