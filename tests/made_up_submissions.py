"""A submission as a run leaves it: result.json beside a distilled set, small and sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from made_up_results import made_up_cell, made_up_result
from made_up_sets import SIGNAL, card_for

from ddbench import artifact
from ddbench.evaluate.schedule import schedule_for
from ddbench.leaf import Leaf
from ddbench.result.io import write_result
from ddbench.result.schema import Artifact, Result, StorageReport, StudentRun
from ddbench.spec.cell import Cell, EvaluationProtocol

X = torch.linspace(-2, 2, 32).reshape(2, 1, 4, 4)
CAP = 128
"""Bytes of one float32 image of 4 × 4 pixels for each of two classes."""


def submit(
    folder: Path, cell: Cell | None = None, accuracies: tuple[float, ...] = (0.5, 0.6), x: torch.Tensor = X
) -> Result:
    """Writes a sound result of the cell, whose set holds `x`, and returns it."""
    cell = cell or made_up_cell()
    folder.mkdir(parents=True, exist_ok=True)
    leaves = [Leaf("x", "item", (1, 4, 4))]
    card = card_for(
        leaves, (1, 1), dataset=cell.dataset.name, revision=cell.versions.dataset, codec=cell.codec,
        codec_version=cell.versions.codec, cap_bytes=CAP, seed=cell.seed, signal=SIGNAL,
    )  # fmt: skip
    card = artifact.save(folder, card, {"x": x})
    stored = StorageReport(
        allowed=CAP, used=CAP, parts={"item/x": CAP}, side=0, over_cap=0, decoder=0, items=(1, 1), signals=(1, 1)
    )
    result = made_up_result(cell, accuracies)
    runs = tuple(_as_long_as_its_column_says(run, cell.protocol) for run in result.runs)
    result = result.model_copy(
        update={"runs": runs, "bytes": stored, "artifact": Artifact(file="distilled.safetensors", sha256=card.sha256)}
    )
    write_result(folder / "result.json", result)
    return result


def _as_long_as_its_column_says(run: StudentRun, protocol: EvaluationProtocol) -> StudentRun:
    """Of a set of two items where two float32 signals fit."""
    schedule = schedule_for(run.column, protocol, 2, 2)
    return run.model_copy(update={"steps": schedule.steps, "samples_seen": schedule.samples(schedule.steps)})


def edit(folder: Path, **changes: Any) -> None:
    """Changes values of result.json; `a__0__b` is the value `b` of the first entry of the list `a`."""
    file = folder / "result.json"
    data = json.loads(file.read_text())
    for way, value in changes.items():
        *steps, last = (int(s) if s.isdigit() else s for s in way.split("__"))
        at: Any = data
        for step in steps:
            at = at[step]
        at[last] = value
    file.write_text(json.dumps(data))


def rekey(folder: Path) -> None:
    """Gives the result the key that its edited cell has."""
    file = folder / "result.json"
    data = json.loads(file.read_text())
    data["key"] = Cell.model_validate(data["cell"]).key
    file.write_text(json.dumps(data))
