"""The words of a table: headings, column names and the text of each row. torch-free."""

from __future__ import annotations

from ddbench.report.labels import (
    budget_label,
    codec_label,
    count,
    method_label,
    networks_label,
    percent,
    recipe,
    span,
)
from ddbench.report.rows import ON_CODES, UNSEEN, Row, Table
from ddbench.spec.cell import OWN_RECIPE
from ddbench.stats import CONFIDENCE

SEVERAL = "†"
"""Marks rows of which some seeds failed."""
RAN_OUT = "‡"
"""Marks rows that hold fewer items than the budget does, because a class has no more."""
OVER = "!"
"""Marks rows whose side information is over the cap."""
NOTHING = "–"


def headings(table: Table, datasets: str | None = None) -> list[str]:
    """What all rows of a table share: dataset, scored split, protocol, how to read the figures."""
    protocol = table.cell.protocol
    scored = "test set" if protocol.evaluate_on == "test" else "VALIDATION split (10 % of training), not the test set"
    lines = [
        f"{datasets or table.cell.dataset_label}, protocol {protocol.name}, scored on the {scored}",
        f"Students: {protocol.students} × {networks_label(protocol)} a seed; {recipe(protocol)}.",
    ]
    if protocol.full is not None and any(row.is_ceiling for row in table.rows):
        lines.append(f"Students of the ceiling: {recipe(protocol.full)}.")
    if any(column.endswith(ON_CODES) for column, _ in table.scores):
        lines.append(
            "on codes: students of their own, trained on the stored codes, standardised per channel, and tested on the "
            "encoded held-out set; not to be compared with students on signals."
        )
    if any(column == OWN_RECIPE for column, _ in table.scores):
        lines.append("own recipe: students trained as was declared with the set, so rows have different recipes there.")
    if not table.is_ranked:
        lines.append(f"NOT RANKED, in the order of names: {' '.join(_unpaid(table))}")
    if any(network == UNSEEN for _, network in table.scores):
        lines.append(f"{UNSEEN}: mean over the student networks that are not the row's match network.")
    lines.append(
        f"Accuracies in percent ± half width of the {100 * CONFIDENCE:g} % interval over distillation seeds "
        "(none for one seed)."
    )
    return lines


def _unpaid(table: Table) -> list[str]:
    """Why rows of the table are not ranked."""
    why = []
    if any(row.is_refitted for row in table.rows):
        why.append(
            "the codecs of these rows fit their transform again on the real training set whenever a set is read; the "
            "budget does not charge it."
        )
    if any(row.is_free_in_domain for row in table.rows):
        which = ", ".join(sorted({row.cell.codec.name for row in table.rows if row.is_free_in_domain}))
        why.append(f"the decoder of {which} was trained on this dataset; the budget does not charge it.")
    if any(row.is_undisclosed for row in table.rows):
        which = ", ".join(sorted({row.cell.codec.name for row in table.rows if row.is_undisclosed}))
        why.append(
            f"the decoder of {which} does not say what it was trained on, perhaps on this dataset; the budget does not "
            "charge it."
        )
    return why


def header(table: Table, narrow: bool = False) -> tuple[list[str], list[str]]:
    """(column names, their alignment); narrow names break into two lines."""
    gap = "\n" if narrow else " "
    several = len({network for _, network in table.scores}) > 1
    scores = [column.replace("_", gap) + (f"{gap}{network}" if several else "") for column, network in table.scores]
    names = ["budget", "codec", "method", f"items{gap}a class"]
    if table.shows_signals:
        names.append(f"signals{gap}a class")
    counts = ["updates", f"samples{gap}seen"]
    both = " / ".join(c.removeprefix("equal_") for c in table.cell.protocol.columns)
    if len(table.cell.protocol.columns) > 1:
        counts = [f"updates{gap}({both})", f"samples seen{gap}({both})"]
    names += [f"bytes{gap}(share of cap)", *scores, *counts, f"seconds{gap}a cell", "seeds"]
    left = 3
    return names, ["left"] * left + ["right"] * (len(names) - left)


def score_columns(table: Table) -> range:
    """Where the accuracies stand in a line."""
    first = 6 if table.shows_signals else 5
    return range(first, first + len(table.scores))


def body(table: Table, decimals: int = 1) -> list[list[list[str]]]:
    """The rows' text, grouped by budget; a group names its budget once."""
    groups = []
    for group in table.groups:
        lines = [_line(table, row, decimals) for row in group]
        for line in lines[1:]:
            line[0] = ""
        groups.append(lines)
    return groups


def _line(table: Table, row: Row, decimals: int) -> list[str]:
    cell = row.cell
    codec = NOTHING if row.is_ceiling else codec_label(cell)
    method = method_label(cell, table.differing(row))
    if table.has_several_match_networks and row.is_matched:
        method += f" via {cell.network}"
    line = [budget_label(cell), codec, method, span(row.items) + (RAN_OUT if row.ran_out else "")]
    if table.shows_signals:
        line.append(span(row.signals))
    line.append(_bytes(row))
    for score in table.scores:
        found = table.accuracy(row, score)
        line.append(percent(found.mean, found.half_width, decimals) if found else NOTHING)
    columns = table.cell.protocol.columns
    line.append(_counts([row.steps(c) for c in columns]))
    line.append(_counts([row.samples_seen(c) for c in columns]))
    line.append(NOTHING if row.seconds is None else f"{row.seconds:.1f}")
    ok = {r.cell.seed for r in row.ok}
    failed = {r.cell.seed for r in row.failed} - ok
    line.append(f"{len(ok)} of {len(ok | failed)}{SEVERAL}" if failed else str(len(ok)))
    return line


def _bytes(row: Row) -> str:
    if row.used_bytes is None:
        return NOTHING
    if not row.allowed_bytes:
        return f"{row.used_bytes:,}"
    mark = OVER if row.over_bytes else ""
    return f"{row.used_bytes:,} ({100 * row.used_bytes / row.allowed_bytes:.0f} %){mark}"


def _counts(values: list[int | None]) -> str:
    return " / ".join(NOTHING if v is None else count(v) for v in values)
