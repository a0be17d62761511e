"""Tables in the long form, a line for each row, as sheets. torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ddbench.report.cells import body, header, headings, score_columns
from ddbench.report.notes import notes
from ddbench.report.rows import Table, plugin_versions
from ddbench.report.sheet import Sheet, Word


def sheet(table: Table, decimals: int = 1, versions: Sequence[str] = ()) -> Sheet:
    """A table's lines, grouped by budget, the best of each budget and their like marked."""
    names, align = header(table, narrow=True)
    groups = [[[Word(text) for text in line] for line in group] for group in body(table, decimals)]
    for rows, lines in zip(table.groups, groups):
        for row, line in zip(rows, lines):
            for at, score in zip(score_columns(table), table.scores):
                line[at] = Word(line[at].text, table.tie_group(row, score) == 1)
    return Sheet([*headings(table), *versions], [names], align.count("left"), groups, notes(table, decimals))


def versions_apart(tables: Sequence[Table]) -> dict[int, list[str]]:
    """By place, a line that tells a table from others of the same title: the versions in which they differ."""
    alike: dict[str, list[int]] = defaultdict(list)
    for i, table in enumerate(tables):
        alike[headings(table)[0]].append(i)
    said = {}
    for places in alike.values():
        known = {i: _versions(tables[i]) for i in places}
        for i in places:
            others = [known[j] for j in places if j != i]
            own = {k: v for k, v in known[i].items() if any(other.get(k, v) != v for other in others)}
            if own:
                said[i] = [f"Versions: {', '.join(f'{name} {version}' for name, version in own.items())}."]
    return said


def _versions(table: Table) -> dict[str, str]:
    versions = table.cell.versions
    found = {"dataset": versions.dataset, "students": " ".join(versions.students), "semantics": versions.semantics}
    for row in table.rows:
        found |= {f"{kind} {name}": v for (kind, name), v in plugin_versions(row.cell).items() if kind != "weights"}
    return found
