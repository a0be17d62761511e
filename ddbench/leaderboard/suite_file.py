"""A suite of one row: the YAML from which `ddbench run` makes just the cells of a published row. torch-free."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ddbench.report.rows import Row
from ddbench.spec.cell import Cell, Choice
from ddbench.spec.mandatory import NAMES

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""What YAML may read as something else than text."""


def is_of_a_suite(cell: Cell) -> bool:
    """Whether a suite makes the cell; sets made elsewhere, and declared recipes, come from `ddbench evaluate` alone."""
    return cell.method.name != NAMES.imported and cell.own_recipe is None


def row_suite(row: Row, name: str) -> str | None:
    """The suite of a row's cells; None where there is none."""
    seeds = sorted({r.cell.seed for r in row.results})
    return suite_text(row.cell, seeds, name) if is_of_a_suite(row.cell) else None


def suite_text(cell: Cell, seeds: Sequence[int], name: str) -> str:
    """A suite whose cells are `cell` with each of the seeds: same keys, while the plug-ins have the row's versions.

    Every argument is spelled out, so it needs no recipe; the key depends on the arguments alone.
    """
    protocol = _protocol(cell.protocol.model_dump_json(exclude_none=True))
    lines = ["ddbench: 1", f"name: {name}", f"protocol: {protocol}", "grid:"]
    block: dict[str, Any] = {"datasets": _choice(cell.dataset), "methods": _choice(cell.method), "seeds": [*seeds]}
    if cell.budget is not None:
        block |= {
            "codecs": _choice(cell.codec),
            "spaces": cell.space,
            "budgets": cell.budget.model_dump(mode="json", exclude_none=True),
            "storage": cell.storage,
            "network": _choice(cell.network),
        }
    marks = ["  - ", *["    "] * len(block)]
    return "\n".join([*lines, *(f"{m}{k}: {flow(v)}" for m, (k, v) in zip(marks, block.items()))]) + "\n"


@lru_cache(256)
def _protocol(text: str) -> str:
    """A protocol in flow style, from its JSON: rows by the hundred have the same."""
    protocol = json.loads(text)
    networks = [_choice(Choice.model_validate(network)) for network in protocol["networks"]]
    return flow({**protocol, "networks": networks})


def _choice(choice: Choice) -> Any:
    """A plug-in as short as it can be written; one called `name` only in full."""
    if not choice.args:
        return choice.name
    return {choice.name: choice.args} if choice.name != "name" else choice.model_dump()


def flow(value: Any) -> str:
    """A value in YAML's flow style, which is JSON with the quotes left out where nothing else could be meant."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _word(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


@lru_cache(4096)
def _word(text: str) -> str:
    is_plain = _PLAIN.match(text) and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)
