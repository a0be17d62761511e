"""Figures that papers report, to stand beside measured ones: in a block apart, never ranked or pooled. torch-free."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddbench.errors import ArtifactError
from ddbench.files import read_text
from ddbench.report.rows import Table

SHIPPED = Path(__file__).with_name("published.csv")
COLUMNS = (
    "paper", "method", "codec_or_space", "dataset", "resolution", "ipc_or_budget", "train_net", "eval_net", "accuracy",
    "std", "source",
)  # fmt: skip
WHOLE = "all"
_LISTED = 5
"""Faults that one message lists."""


@dataclass(frozen=True)
class Figure:
    """An accuracy as a paper or a repository prints it, with where it stands."""

    paper: str
    method: str
    codec: str
    dataset: str
    resolution: int | None
    budget: str
    train_net: str
    eval_net: str
    accuracy: float
    """As a fraction."""
    sd: float | None
    """What the source prints behind ±, as a fraction; what it is a deviation of, sources seldom say."""
    source: str

    @property
    def ipc(self) -> float | None:
        found = re.search(r"ipc\s*=\s*(\d+(?:\.\d+)?)", self.budget, re.IGNORECASE)
        return float(found[1]) if found else None

    def record(self) -> dict[str, Any]:
        return {"kind": "reported", **asdict(self)}


def published(path: Path | None = None) -> list[Figure]:
    """The figures of a CSV file, by default of the one that ships; accuracies there are in percent.

    Raises: ArtifactError that names the file and every mistake in it.
    """
    path = path or SHIPPED
    reader = csv.DictReader(read_text(path).splitlines())
    if lacking := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise ArtifactError(f"{path} holds no reported figures: it lacks the columns {', '.join(lacking)}.")
    figures, faults = [], []
    try:
        for line in reader:
            try:
                figures.append(_figure({name: (line[name] or "").strip() for name in COLUMNS}))
            except ValueError as error:
                faults.append(f"line {reader.line_num}: {error}")
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: {error}")
    if figures and all(figure.accuracy <= 0.01 for figure in figures):
        faults.append("no accuracy is above 1: they are fractions, and percent are asked for")
    if faults:
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise ArtifactError(f"{path}: {'; '.join(faults[:_LISTED])}{more}.")
    return figures


def _figure(line: dict[str, str]) -> Figure:
    for name in ("method", "dataset", "ipc_or_budget", "accuracy", "source"):
        if not line[name]:
            raise ValueError(f"{name} is empty")
    resolution = line["resolution"]
    if resolution and not (resolution.isascii() and resolution.isdigit()):
        raise ValueError(f"resolution {resolution!r} is not a whole number")
    return Figure(
        line["paper"], line["method"], line["codec_or_space"], line["dataset"], int(resolution) if resolution else None,
        line["ipc_or_budget"], line["train_net"], line["eval_net"], _percent("accuracy", line["accuracy"]),
        _percent("std", line["std"]) if line["std"] else None, line["source"],
    )  # fmt: skip


def _percent(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not a number") from None
    if not 0 <= value <= 100:
        raise ValueError(f"{name} {text} is not in percent")
    return value / 100


def beside(figures: Sequence[Figure], tables: Sequence[Table]) -> list[Figure]:
    """Figures of the tables' dataset, at their budgets where those are images a class; all where they are not."""
    cell = tables[0].cell
    names = {_plain(v) for v in (cell.dataset.name, *cell.dataset.args.values()) if isinstance(v, str)}
    size = cell.dataset.args.get("size")
    budgets = [row.cell.budget for table in tables for row in table.rows if row.cell.budget]
    ipcs = {budget.ipc for budget in budgets} if all(budget.ipc for budget in budgets) else None
    return [
        figure
        for figure in figures
        if _plain(figure.dataset) in names
        and (not isinstance(size, int) or figure.resolution in (None, size))
        and (ipcs is None or figure.ipc in ipcs or figure.budget == WHOLE)
    ]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()
