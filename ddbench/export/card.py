"""The README of an export: a dataset card that says what it holds, where that came from, and what it is worth."""

from __future__ import annotations

import html
import re
from collections import defaultdict

import yaml

from ddbench.export.folder import MARK
from ddbench.export.forms import FORMS
from ddbench.export.opened import Opened, source_card
from ddbench.result.schema import Result
from ddbench.spec.labels import arguments
from ddbench.version import __version__

UNKNOWN = "not known here"


def dataset_card(found: Opened, form: str) -> str:
    """The card of an exported set, in the hub's form. Whatever comes from files is escaped."""
    card, cell = found.stored.card, found.own.cell
    source = source_card(found)
    head: dict[str, object] = {
        "pretty_name": f"{card.dataset}, distilled",
        "tags": ["dataset-distillation", "dataset-condensation", "ddbench"],
    }
    if FORMS[form].data_files:
        head["configs"] = [{"config_name": "default", "data_files": FORMS[form].data_files}]
    lines = {
        "dataset": f"{cell.dataset_label if cell else card.dataset}, revision {card.revision}",
        "licence of the dataset": source.licence if source else UNKNOWN,
        "codec": " ".join(p for p in (card.codec.name, arguments(card.codec.args)) if p),
        "method": _method(found),
        "items stored": f"{sum(card.counts)} of {card.n_classes} classes",
        "signals here": f"{len(found.y)} of shape {list(card.signal.shape)}",
        "bytes of the set": f"{found.stored.used_bytes:,} as stored; the files here are decoded from it",
        "digest of the set": card.sha256,
        **_accuracies(found.own.result),
    }
    table = "\n".join(f"| {plain(name)} | {plain(value)} |" for name, value in lines.items())
    classes = ", ".join(f"{k} {plain(name)}" for k, name in enumerate(card.class_names))
    blocks = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        MARK,
        f"# {plain(card.dataset)}, distilled",
        "A distilled dataset: few items on which networks are trained in place of the whole. Decoded from a set of "
        "ddbench, the open benchmark for dataset distillation.",
        f"| | |\n|---|---|\n{table}",
        FORMS[form].told(found),
        f"Classes: {classes}.",
        "The items are made from the dataset, whose licence holds for them too.",
        f"Written by ddbench {__version__}.",
    ]
    return "\n\n".join(blocks) + "\n"


def _method(found: Opened) -> str:
    cell = found.own.cell
    if cell is None:
        return UNKNOWN
    if cell.origin is not None:
        return f"made elsewhere: {cell.origin.name} ({cell.origin.form})"
    space = " on codes" if cell.space == "code" else ""
    return f"{' '.join(p for p in (cell.method.name, arguments(cell.method.args)) if p)}{space}, seed {cell.seed}"


def _accuracies(result: Result | None) -> dict[str, str]:
    """Mean accuracy of the students of each column, where a result lies beside the set."""
    if result is None or result.status != "ok":
        return {"accuracy": UNKNOWN}
    by_column: dict[str, list[float]] = defaultdict(list)
    for run in result.runs:
        own = " on own labels" if run.labels == "own" else ""
        codes = " on codes" if run.space == "code" else ""
        by_column[f"{run.column.replace('_', ' ')}, {run.network}{own}{codes}"].append(run.accuracy)
    protocol = result.cell.protocol
    scored = "test set" if protocol.evaluate_on == "test" else "validation split"
    return {
        f"accuracy ({scored}, {column})": f"{100 * sum(found) / len(found):.1f} %, {_students(len(found))}, "
        f"protocol {protocol.name}"
        for column, found in by_column.items()
    }


def _students(n: int) -> str:
    return "one student" if n == 1 else f"mean of {n} students"


def plain(text: str) -> str:
    """Text as it reads, in one line: nothing in it is markup, a tag, a link or a cell's end."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_{}\[\]()#+!|~:@])", r"\\\1", html.escape(line, quote=False))
