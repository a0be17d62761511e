"""The rows that every learned row must stand beside (DESIGN.md §5), and which of them are absent. torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.report.labels import codec_label
from ddbench.report.rows import Row, Table

IDENTITY, DOWNSAMPLE, JPEG, RANDOM = "identity", "downsample", "jpeg", "random"


def absent(table: Table) -> list[str]:
    """A sentence for each mandatory row that a budget of the table lacks; failed rows are absent ones."""
    said = []
    for group in table.groups:
        learned = [row for row in group if row.is_learned and row.ok]
        if not learned:
            continue
        missing = missing_beside(learned, [row for row in group if row.ok])
        if missing:
            said.append(
                f"{learned[0].cell.budget}: absent mandatory rows (where the data allow them): {', '.join(missing)}"
            )
    return said


def missing_beside(learned: Sequence[Row], present: Sequence[Row]) -> list[str]:
    """Names of the mandatory rows of `learned` that are not among `present`."""
    there = {(codec_label(row.cell), row.cell.method.name) for row in present}
    codecs = {row.cell.codec.name: row for row in present}
    drawn = {row.cell.codec.name for row in present if row.cell.method.name == RANDOM}
    missing = [f"{RANDOM} × {codec}" for codec in (IDENTITY, JPEG) if codec not in drawn]
    for row in learned:
        wanted = f"{RANDOM} × {codec_label(row.cell)}"
        if (codec_label(row.cell), RANDOM) not in there and wanted not in missing:
            missing.append(wanted)
    if DOWNSAMPLE not in codecs:
        missing.append(DOWNSAMPLE)
    return missing
