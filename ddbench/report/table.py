"""`ddbench table`: results as text for a terminal, Markdown, LaTeX, CSV, JSON or Parquet. torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddbench.errors import ArtifactError, SpecError
from ddbench.report import dd_ranking, reported, scores
from ddbench.report.filters import shown
from ddbench.report.latex import latex
from ddbench.report.long import sheet, versions_apart
from ddbench.report.pivot import pivots, refusals
from ddbench.report.plain import as_csv, as_json, as_parquet, unsaid
from ddbench.report.rows import Table, tables
from ddbench.report.sheet import Sheet
from ddbench.report.text import markdown, terminal
from ddbench.report.view import View
from ddbench.result.io import read_result
from ddbench.result.schema import Result

Format = Literal["terminal", "markdown", "latex", "csv", "json"]
FORMATS: tuple[Format, ...] = ("terminal", "markdown", "latex", "csv", "json")
"""Formats that are text; Parquet is `parquet`'s."""
RESULT = "result.json"
ALL = View()


@dataclass(frozen=True)
class Collection:
    """What folders hold: results, and files that should be results but cannot be read."""

    results: tuple[Result, ...]
    unreadable: tuple[str, ...] = ()


def collect(*folders: Path) -> Collection:
    """Every `result.json` below the folders; one that is found twice, by key and run id, counts once.

    Raises: ArtifactError where a folder is missing, or none holds a result.
    """
    results: dict[tuple[str, str], tuple[Result, Path]] = {}
    unreadable: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise ArtifactError(f"There is no folder {folder}. Give a run folder, such as runs/quickstart.")
    for path in dict.fromkeys(path for folder in folders for path in sorted(folder.rglob(RESULT))):
        try:
            result = read_result(path)
        except ArtifactError as error:
            if str(error) not in unreadable:
                unreadable.append(str(error))
            continue
        first, at = results.setdefault((result.key, result.run_id), (result, path))
        if first != result:
            unreadable.append(f"{path} has the key and run id of {at}, but says something else; it is left out.")
    if not results and not unreadable:
        several = " and ".join(map(str, folders))
        raise ArtifactError(f"{several} holds no {RESULT}. `ddbench run SUITE --out {folders[0]}` writes them.")
    return Collection(tuple(result for result, _ in results.values()), tuple(unreadable))


def render(found: Collection, form: Format = "terminal", view: View = ALL) -> str:
    """The tables of a collection, ending in a line break. Raises: SpecError where the view does not fit the results."""
    made, failed = _made(found, view)
    data: dict[str, Callable[[Sequence[Table], Sequence[str], View], str]] = {"csv": as_csv, "json": as_json}
    if form in data:
        return data[form](made, failed, view)
    text: dict[str, Callable[[Sequence[Sheet], Sequence[str]], str]] = {
        "terminal": terminal,
        "markdown": markdown,
        "latex": latex,
    }
    return text[form](_sheets(made, view), failed)


def parquet(found: Collection, view: View = ALL) -> bytes:
    """The same as a Parquet file."""
    return as_parquet(*_made(found, view), view)


def unsaid_by_csv(found: Collection, view: View = ALL) -> list[str]:
    """What CSV has no place for, a line each."""
    return unsaid(*_made(found, view))


def refused(found: Collection, view: View = ALL) -> list[str]:
    """Pivots that are left out, since cells of theirs would hold several rows: a sentence each."""
    return refusals(shown(tables(found.results), view), view)


def _made(found: Collection, view: View) -> tuple[list[Table], list[str]]:
    """The tables that are shown, and what failed or is left out."""
    made = list(shown(tables(found.results), view))
    return made, failures(found) + refusals(made, view)


def _sheets(made: Sequence[Table], view: View) -> list[Sheet]:
    sheets: list[Sheet] = []
    if view.is_pivot:
        laid = pivots(made, view)
        if made and not laid:
            raise SpecError("No row has a figure that a pivot could show. The long form, without --rows, lists them.")
        apart = versions_apart([pivot.tables[0] for pivot in laid])
        sheets += [pivot.sheet(apart.get(i, ())) for i, pivot in enumerate(laid)]
    else:
        apart = versions_apart(made)
        sheets += [sheet(table, view.decimals, apart.get(i, ())) for i, table in enumerate(made)]
    if view.scores:
        sheets += [one for table in made for one in scores.sheets(table, view.decimals)]
    if view.dd_ranking:
        sheets += dd_ranking.sheets(made)
    return sheets + reported.sheets(made, view.reported, view.decimals)


def failures(found: Collection) -> list[str]:
    """A line for each cell that failed and each file that cannot be read."""
    lines = []
    for result in sorted(found.results, key=lambda r: r.cell.title):
        if result.error is not None:
            why = " ".join(result.error.message.split())
            lines.append(f"{result.cell.title}: {result.status} in {result.error.phase}: {result.error.kind}: {why}")
    return lines + [f"unreadable: {text}" for text in found.unreadable]
