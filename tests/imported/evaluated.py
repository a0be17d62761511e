"""Sets evaluated in this process, by a protocol of seconds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from ddbench import registry
from ddbench.data import Data, load
from ddbench.imported.evaluate import Request, ready
from ddbench.imported.folder import folder_for
from ddbench.interfaces.engine import Job
from ddbench.planning.protocols import with_all_arguments
from ddbench.result.schema import Result
from ddbench.run.folder import RunFolder
from ddbench.run.worker import work
from ddbench.spec.cell import Choice, EvaluationProtocol

DATASET = Choice(name="fashion_mnist_small")
SHORT = with_all_arguments(
    EvaluationProtocol.model_validate(
        {"name": "short", "students": 2, "epochs": 4, "networks": {"mlp": {"hidden": [16]}}, "columns": "equal_steps"}
    )
)


@lru_cache(maxsize=1)
def small_data() -> Data:
    return load(registry.build("dataset", DATASET.name, {}))


def real_items(n: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised signals `[10 n, 1, 28, 28]` and classes, class by class."""
    data = small_data()
    index = torch.cat([members[:n] for members in data.members])
    return data.signals(index), data.train.labels[index]


def evaluated(request: Request, out: Path) -> tuple[RunFolder, list[Result]]:
    """The folder and the results of a request, all of its cells run here."""
    found = ready(request)
    runs = folder_for(out, found)
    keys = [one.cell.key for one in found]
    work(Job(runs.path, keys, device="cpu"), lambda event: None)
    results = [runs.result(key) for key in keys]
    assert all(result is not None for result in results)
    return runs, [result for result in results if result is not None]


def accuracies(result: Result) -> list[tuple[str, int, str]]:
    """What every student got right, item by item."""
    assert result.status == "ok", result.error
    return [(run.column, run.student, run.correct) for run in result.runs]
