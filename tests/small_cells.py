"""Small cells on scikit-learn's digits: real data, seconds of work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ddbench import registry
from ddbench.budget import Budget
from ddbench.result.schema import Result
from ddbench.run.folder import RunFolder
from ddbench.spec.cell import Cell, Choice, EvaluationProtocol, Versions


def choice(kind: registry.Kind, name: str, **args: Any) -> Choice:
    return Choice(name=name, args=registry.configure(kind, name, args).model_dump(mode="json"))


def small_cell(
    codec: str = "identity", method: str = "dm", seed: int = 0, dataset: str = "digits", space: Any = "signal",
    storage: Any = "float32", ipc: float = 2, epochs: int = 5, codec_args: Any = None, **args: Any,
) -> Cell:  # fmt: skip
    """A cell that takes about a second."""
    network = choice("network", "auto", width=8)
    if method == "dm":
        args = {"iterations": 20, "real_batch": 16, **args}
    return Cell(
        dataset=Choice(name=dataset),
        codec=choice("codec", codec, **(codec_args or {})),
        method=choice("method", method, **args),
        space=space,
        storage=storage,
        budget=None if method == "full" else Budget(ipc=ipc),
        network=network,
        protocol=EvaluationProtocol(epochs=epochs, students=2, networks=(network,)),
        seed=seed,
        versions=Versions(
            dataset=registry.build("dataset", dataset).card().revision,
            codec=registry.load("codec", codec).version,
            method=registry.load("method", method).version,
            network=registry.load("network", "auto").version,
            students=(registry.load("network", "auto").version,),
        ),
    )


def small_folder(path: Path, cells: list[Cell]) -> RunFolder:
    suite = path.with_suffix(".yaml")
    suite.write_text("ddbench: 1\n")
    return RunFolder.create(path, path.name, suite, cells)


def outcome(result: Result) -> dict[str, Any]:
    """Everything in a result that must not depend on when, where or in how many pieces it was run."""
    record = json.loads(result.model_dump_json())
    for changing in ("run_id", "phases", "provenance", "notes"):
        del record[changing]
    return record
