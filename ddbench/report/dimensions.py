"""The dimensions of results: what pivots are laid out by and filters choose from. torch-free."""

from __future__ import annotations

from collections.abc import Collection

from ddbench.report.labels import arguments, budget_label, codec_label, method_label
from ddbench.report.rows import Row, Score, Table
from ddbench.spec.cell import Choice

DIMENSIONS = {
    "dataset": "the dataset with its arguments",
    "budget": "bytes, as the suite writes them",
    "codec": "the codec with its arguments, and its storage type unless that is a dimension of its own",
    "storage": "the type that float leaves are stored in",
    "method": "the method, what sets it apart from its like, and its match space unless that is a dimension of its own",
    "space": "the match space",
    "network": "the match network",
    "column": "how students were trained and on what: equal_steps, equal_epochs, …_on_codes",
    "student": "the student network, and what it learned where that is not classes",
    "student_spaces": "what students of the row see",
    "protocol": "the evaluation protocol, by name",
    "split": "test or validation",
}
APART = {"protocol": "protocols", "split": "splits"}
"""Dimensions that tables are kept apart by."""
LAYABLE = tuple(name for name in DIMENSIONS if name not in APART)
OF_SCORES = ("column", "student")
"""Dimensions of a figure, not of its row."""
NOT_OF_CEILINGS = ("budget", "codec", "storage", "space", "network", "student_spaces")
"""Dimensions that the whole dataset does not have: it stays beside whatever is chosen in them."""


def label(name: str, table: Table, row: Row, score: Score, among: Collection[str] = ()) -> str:
    """A row's value in a dimension, as tables show it; `among`: the dimensions that stand beside it."""
    cell = row.cell
    if row.is_ceiling and name in NOT_OF_CEILINGS:
        return "none"
    if name == "codec":
        return codec_label(cell.model_copy(update={"storage": "float32"}) if "storage" in among else cell)
    if name == "method":
        shown = cell.model_copy(update={"space": "signal"}) if "space" in among else cell
        said = method_label(shown, table.differing(row))
        several = table.has_several_match_networks and row.is_matched and "network" not in among
        return said + (f" via {cell.network}" if several else "")
    return {
        "dataset": cell.dataset_label,
        "budget": budget_label(cell),
        "storage": cell.storage,
        "space": cell.space,
        "network": _choice(cell.network),
        "column": score[0],
        "student": score[1],
        "student_spaces": " ".join(cell.protocol.student_spaces),
        "protocol": cell.protocol.name,
        "split": cell.protocol.evaluate_on,
    }[name]


def names_of(name: str, table: Table, row: Row, score: Score) -> set[str]:
    """Every way to name the row's value in a filter: as tables show it, or short."""
    cell = row.cell
    shown = {label(name, table, row, score), label(name, table, row, score, DIMENSIONS)}
    short = {"dataset": cell.dataset.name, "codec": cell.codec.name, "method": cell.method.name}
    return shown | ({short[name]} if name in short else set())


def _choice(choice: Choice) -> str:
    return " ".join(p for p in (choice.name, arguments(choice.args)) if p)
