"""A line a student: where it stands, what it reached, what its set costs. torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ddbench.canonical import canonical
from ddbench.result.schema import Result, StudentRun

COLUMNS = (
    "dataset", "dataset_args", "codec", "codec_args", "method", "method_args", "space", "storage", "budget", "seed",
    "match_network", "match_network_args", "protocol", "evaluate_on", "key", "run_id", "status", "error", "column",
    "network", "labels", "student_space", "student", "accuracy", "n_test", "steps", "samples_seen", "train_loss",
    "used_bytes", "allowed_bytes", "side_bytes", "over_bytes", "decoder_bytes", "refitted_bytes",
    "free_in_domain_bytes", "items", "signals", "classes", "seconds",
)  # fmt: skip
"""Names of a line. Accuracies are fractions in [0, 1]; items and signals are those of the whole set."""


def student_records(results: Iterable[Result]) -> list[dict[str, Any]]:
    """The lines of some results in their order; a result without students has one, with its status and error."""
    return [
        {**_cell(result), **_student(run), **_bytes(result)} for result in results for run in result.runs or (None,)
    ]


def _cell(result: Result) -> dict[str, Any]:
    cell, error = result.cell, result.error
    return {
        "dataset": cell.dataset.name,
        "dataset_args": canonical(cell.dataset.args),
        "codec": cell.codec.name,
        "codec_args": canonical(cell.codec.args),
        "method": cell.method.name,
        "method_args": canonical(cell.method.args),
        "space": cell.space,
        "storage": cell.storage,
        "budget": None if cell.budget is None else str(cell.budget),
        "seed": cell.seed,
        "match_network": cell.network.name,
        "match_network_args": canonical(cell.network.args),
        "protocol": cell.protocol.name,
        "evaluate_on": cell.protocol.evaluate_on,
        "key": result.key,
        "run_id": result.run_id,
        "status": result.status,
        "error": error and f"{error.kind} in {error.phase}: {error.message}",
    }


def _student(run: StudentRun | None) -> dict[str, Any]:
    return {
        "column": run and run.column,
        "network": run and run.network,
        "labels": run and run.labels,
        "student_space": run and run.space,
        "student": run and run.student,
        "accuracy": run and run.accuracy,
        "n_test": run and run.n_test,
        "steps": run and run.steps,
        "samples_seen": run and run.samples_seen,
        "train_loss": run and run.train_loss,
    }


def _bytes(result: Result) -> dict[str, Any]:
    cost = result.bytes
    return {
        "used_bytes": cost and cost.used,
        "allowed_bytes": cost and cost.allowed,
        "side_bytes": cost and cost.side,
        "over_bytes": cost and cost.over_cap,
        "decoder_bytes": cost and cost.decoder,
        "refitted_bytes": cost and cost.refitted,
        "free_in_domain_bytes": cost and cost.free_in_domain,
        "items": cost and sum(cost.items),
        "signals": cost and sum(cost.signals),
        "classes": cost and len(cost.items),
        "seconds": sum(phase.seconds for phase in result.phases),
    }
