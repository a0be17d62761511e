"""`ddbench table`: results as text for a terminal, Markdown, CSV or JSON. torch-free."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ddbench.errors import ArtifactError
from ddbench.report.cells import RAN_OUT, SEVERAL, body, header, headings
from ddbench.report.mandatory import absent
from ddbench.report.records import record
from ddbench.report.rows import Table, tables
from ddbench.result.io import read_result
from ddbench.result.schema import Result

Format = Literal["terminal", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = ("terminal", "markdown", "csv", "json")
RESULT = "result.json"


@dataclass(frozen=True)
class Collection:
    """What a folder holds: results, and files that should be results but cannot be read."""

    results: tuple[Result, ...]
    unreadable: tuple[str, ...] = ()


def collect(folder: Path) -> Collection:
    """Every `result.json` below a folder. Raises: ArtifactError where there is no folder, or none in it."""
    if not folder.is_dir():
        raise ArtifactError(f"There is no folder {folder}. Give a run folder, such as runs/quickstart.")
    results, unreadable = [], []
    for path in sorted(folder.rglob(RESULT)):
        try:
            results.append(read_result(path))
        except ArtifactError as error:
            unreadable.append(str(error))
    if not results and not unreadable:
        raise ArtifactError(f"{folder} holds no {RESULT}. `ddbench run SUITE --out {folder}` writes them.")
    return Collection(tuple(results), tuple(unreadable))


def render(found: Collection, form: Format = "terminal") -> str:
    """The tables of a collection, ending in a line break."""
    made = tables(found.results)
    renderers: dict[Format, Callable[[Sequence[Table], Collection], str]] = {
        "terminal": _text,
        "markdown": _markdown,
        "csv": _csv,
        "json": _json,
    }
    return renderers[form](made, found)


def failures(found: Collection) -> list[str]:
    """A line for each cell that failed and each file that cannot be read."""
    lines = []
    for result in sorted(found.results, key=lambda r: r.cell.title):
        if result.error is not None:
            why = " ".join(result.error.message.split())
            lines.append(f"{result.cell.title}: {result.status} in {result.error.phase}: {result.error.kind}: {why}")
    return lines + [f"unreadable: {text}" for text in found.unreadable]


def _text(made: Sequence[Table], found: Collection) -> str:
    from tabulate import SEPARATING_LINE, tabulate

    blocks = []
    for table in made:
        lines: list[Any] = []
        for group in body(table):
            lines += [*([SEPARATING_LINE] if lines else []), *group]
        names, align = header(table, narrow=True)
        grid = tabulate(lines, names, "simple", disable_numparse=True, colalign=align)
        blocks.append("\n".join([*headings(table), "", grid, *_notes(table)]))
    return _joined(blocks, "Failed:", "  ", failures(found))


def _markdown(made: Sequence[Table], found: Collection) -> str:
    from tabulate import tabulate

    blocks = []
    for table in made:
        title, *more = headings(table)
        names, align = header(table)
        lines = [[cell.replace("|", "\\|") for cell in line] for group in body(table) for line in group]
        grid = tabulate(lines, names, "github", disable_numparse=True, colalign=align)
        notes = [f"- {note}" for note in _notes(table)]
        blocks.append("\n".join([f"## {title}", "", *more, "", grid, *(["", *notes] if notes else [])]))
    return _joined(blocks, "## Failed\n", "- ", failures(found))


def _joined(blocks: list[str], title: str, bullet: str, lines: list[str]) -> str:
    if lines:
        blocks.append("\n".join([title, *(bullet + line for line in lines)]))
    return "\n\n".join(blocks) + "\n"


def _notes(table: Table) -> list[str]:
    notes = []
    if any(SEVERAL in line[-1] for group in body(table) for line in group):
        notes.append(f"{SEVERAL} some seeds failed and do not count; see below.")
    over = [row for row in table.rows if row.over_bytes]
    if over:
        most = max(row.over_bytes / (row.allowed_bytes or 1) for row in over)
        notes.append(f"! over the cap by side information alone, by at most {100 * most:.1f} % (2 % are allowed).")
    if any(row.ran_out for row in table.rows):
        notes.append(f"{RAN_OUT} the budget holds more items than the rarest class has; other rows may hold more.")
    return notes + absent(table)


def _json(made: Sequence[Table], found: Collection) -> str:
    content = {
        "tables": [
            {
                "headings": headings(table),
                "rows": [record(table, row) for row in table.rows],
                "absent_mandatory_rows": absent(table),
            }
            for table in made
        ],
        "failures": failures(found),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(made: Sequence[Table], found: Collection) -> str:
    records = [_flat(record(table, row)) for table in made for row in table.rows]
    names = list(dict.fromkeys(name for r in records for name in r))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict) and not name.endswith("_args"):
            flat |= _flat(inner, f"{prefix}{name}.")
        else:
            flat[prefix + name] = json.dumps(inner) if isinstance(inner, dict | list) else inner
    return flat
