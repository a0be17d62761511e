"""A row as plain data, for CSV and JSON: exact numbers, fractions in [0, 1]. torch-free."""

from __future__ import annotations

from typing import Any

from ddbench.report.rows import Row, Table


def record(table: Table, row: Row) -> dict[str, Any]:
    """Everything that a table says of a row and more, by name."""
    cell = row.cell
    scores: dict[str, Any] = {}
    for column, network in table.scores:
        found = table.accuracy(row, (column, network))
        scores[f"{column}/{network}"] = {
            "accuracy": found and found.mean,
            "half_width": found and found.half_width,
            "students": found.n_students if found else 0,
            "tie_group": table.tie_group(row, (column, network)),
            "steps": row.steps(column),
            "samples_seen": row.samples_seen(column),
        }
    return {
        "dataset": cell.dataset.name,
        "dataset_args": cell.dataset.args,
        "protocol": cell.protocol.name,
        "evaluate_on": cell.protocol.evaluate_on,
        "budget": None if cell.budget is None else str(cell.budget),
        "codec": cell.codec.name,
        "codec_args": cell.codec.args,
        "storage": cell.storage,
        "method": cell.method.name,
        "method_args": cell.method.args,
        "space": cell.space,
        "network": cell.network.name,
        "network_args": cell.network.args,
        "unseen_networks": list(table.unseen(row)),
        "recipe": [use.model_dump(mode="json") for use in cell.recipe],
        "versions": cell.versions.model_dump(mode="json"),
        "items_per_class": _range(row.items),
        "signals_per_class": _range(row.signals),
        "ran_out_of_items": row.ran_out,
        "classes": row.classes,
        "used_bytes": row.used_bytes,
        "allowed_bytes": row.allowed_bytes,
        "over_bytes": row.over_bytes,
        "refitted_bytes": max((r.bytes.refitted for r in row.ok if r.bytes), default=0),
        "free_in_domain_bytes": max((r.bytes.free_in_domain for r in row.ok if r.bytes), default=0),
        "is_ranked": table.is_ranked,
        "scores": scores,
        "seconds": row.seconds,
        "seeds_ok": sorted({r.cell.seed for r in row.ok}),
        "seeds_failed": sorted({r.cell.seed for r in row.failed} - {r.cell.seed for r in row.ok}),
    }


def _range(values: tuple[int, ...]) -> dict[str, int | None]:
    return {"min": min(values, default=None), "max": max(values, default=None)}
