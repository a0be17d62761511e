"""What a run leaves to look at: table.md, chart.png and a picture for each row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ddbench.errors import RunError
from ddbench.files import write_atomic
from ddbench.planning.facts import display_of
from ddbench.report.labels import budget_label, codec_label
from ddbench.report.rows import Row, tables
from ddbench.report.table import Collection, render
from ddbench.run.folder import RunFolder

TABLE, CHART, PICTURES = "table.md", "chart.png", "pictures"
KEY_LETTERS = 6


@dataclass
class Written:
    """Files made, by what they show, and what could not be drawn."""

    table: Path | None = None
    chart: Path | None = None
    pictures: list[Path] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def write_report(runs: RunFolder, found: Collection) -> Written:
    """Writes table, chart and pictures into the run folder. Raises: RunError where the table cannot be written.

    A chart or a picture that fails is a trouble to be named, not a reason to lose the rest.
    """
    written = Written(table=runs.path / TABLE)
    write_atomic(runs.path / TABLE, render(found, "markdown"))
    try:
        from ddbench.report.chart import chart

        written.chart = chart(found.results, runs.path / CHART)
    except Exception as error:  # noqa: BLE001  (drawing must never cost a finished run its report)
        written.troubles.append(f"{CHART} could not be drawn: {type(error).__name__}: {error}")
    for row, out in _wanted(runs, found):
        _draw(runs, row, out, written)
    return written


def _wanted(runs: RunFolder, found: Collection) -> Iterator[tuple[Row, Path]]:
    """Rows with a distilled set, each with the file for its first seed."""
    for table in tables(found.results):
        for row in table.rows:
            if row.ok and row.ok[0].artifact is not None:
                yield row, runs.path / PICTURES / f"{_slug(row)}.png"


def _slug(row: Row) -> str:
    """A file name that says which row it is; the key's first letters keep rows of one name apart."""
    cell = row.cell
    said = f"{cell.dataset} {budget_label(cell)} {cell.codec} {cell.method} {row.ok[0].key[:KEY_LETTERS]}"
    return re.sub(r"[^A-Za-z0-9.]+", "-", said)


def _draw(runs: RunFolder, row: Row, out: Path, written: Written) -> None:
    result = row.ok[0]
    assert result.artifact is not None
    stored = runs.cell_dir(result.key) / result.artifact.file
    try:
        if not out.exists() or out.stat().st_mtime < stored.stat().st_mtime:
            from ddbench.report.picture import picture

            _make(out.parent)
            from ddbench.run.cell import complete

            title = f"{budget_label(row.cell)}, {codec_label(row.cell)} × {row.cell.method}"
            picture(stored, out, title, partial(complete, result.cell), display_of(result.cell.dataset))
        written.pictures.append(out)
    except Exception as error:  # noqa: BLE001  (as above; codecs are other people's code)
        written.troubles.append(f"no picture of {result.cell.title}: {type(error).__name__}: {error}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot create {folder}: {error.strerror}.") from error
