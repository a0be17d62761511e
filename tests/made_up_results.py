"""Made-up results: sound records with figures of the tests' choosing, no training behind them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ddbench.budget import Budget
from ddbench.result.io import write_result
from ddbench.result.schema import (
    Failure,
    LossPoint,
    Phase,
    Provenance,
    Result,
    Status,
    StorageReport,
    StudentRun,
    pack_bits,
)
from ddbench.spec.cell import Cell, Choice, Column, EvaluationProtocol, Versions

N_TEST = 200
K = 10


def made_up_cell(
    codec: str = "identity",
    method: str = "random",
    seed: int = 0,
    budget: Budget | None = Budget(ipc=1),  # noqa: B008  (frozen)
    codec_args: dict[str, Any] | None = None,
    method_args: dict[str, Any] | None = None,
    dataset: str = "fashion_mnist_small",
    space: Literal["code", "signal"] = "signal",
    protocol: EvaluationProtocol | None = None,
    codec_version: str = "1",
    network: str = "auto",
) -> Cell:
    learned = {"iterations": 100, "lr": 1.0} if method == "dm" else {}
    return Cell(
        dataset=Choice(name=dataset),
        codec=Choice(name=codec, args=codec_args or {}),
        method=Choice(name=method, args={**learned, **(method_args or {})}),
        space=space,
        storage="float32",
        budget=None if method == "full" else budget,
        network=Choice(name=network),
        protocol=protocol or EvaluationProtocol(students=2),
        seed=seed,
        versions=Versions(dataset="1", codec=codec_version, method="1", network="1", students=("1",)),
    )


def made_up_run(
    accuracy: float, column: Column = "equal_steps", student: int = 0, network: str = "auto", steps: int = 1000
) -> StudentRun:
    right = round(accuracy * N_TEST)
    bits = [True] * right + [False] * (N_TEST - right)
    random.Random(student).shuffle(bits)
    return StudentRun(
        column=column,
        network=network,
        student=student,
        accuracy=right / N_TEST,
        n_test=N_TEST,
        correct=pack_bits(bits),
        steps=steps,
        samples_seen=steps * K,
        train_loss=0.1,
    )


def made_up_result(
    cell: Cell,
    accuracies: Sequence[float] = (0.5, 0.6),
    status: Status = "ok",
    items: int | tuple[int, ...] = 1,
    signals: int | None = None,
    used: int = 31360,
    allowed: int = 31360,
    seconds: float = 2.0,
    networks: Sequence[str] = ("auto",),
) -> Result:
    """A result whose students reach `accuracies` in every column (one point less in equal_epochs)."""
    ceiling = cell.budget is None
    runs = [
        made_up_run(a - 0.01 * (column == "equal_epochs"), column, i, network, 1000 if column == "equal_steps" else 400)
        for column in cell.protocol.columns
        for network in networks
        for i, a in enumerate(accuracies)
    ]
    counts = (items,) * K if isinstance(items, int) else items
    ok = status == "ok"
    return Result(
        key=cell.key,
        run_id=f"run-{cell.seed}",
        status=status,
        cell=cell,
        bytes=StorageReport(
            allowed=None if ceiling else allowed,
            used=used,
            parts={"pixels": used - used // 100, "mask": used // 100},
            side=used // 100,
            over_cap=max(0, used - allowed) if not ceiling else 0,
            decoder=0,
            items=counts,
            signals=counts if signals is None else (signals,) * K,
        )
        if ok
        else None,
        runs=tuple(runs) if ok else (),
        losses=(LossPoint(step=0, loss=1.0),) if cell.method.name == "dm" and ok else (),
        phases=(Phase(name="evaluate", seconds=seconds, host_peak_bytes=10**8, device_peak_bytes=0),),
        artifact=None,
        provenance=Provenance(
            ddbench="0.1.0",
            python="3.11",
            packages={"torch": "2"},
            git_commit=None,
            git_dirty=None,
            plugins={"codec": "ddbench 0.1.0"},
            platform="linux",
            processor="cpu",
            device="cpu",
            driver=None,
            threads=1,
            started="2026-01-01T00:00:00Z",
            finished="2026-01-01T00:00:02Z",
        ),
        error=None
        if ok
        else Failure(kind="RuntimeError", message="out of paper\nand ink", phase="distill", traceback="Traceback…"),
    )


def made_up_folder(folder: Path, results: Sequence[Result]) -> Path:
    for result in results:
        at = folder / "cells" / result.key[:16]
        at.mkdir(parents=True, exist_ok=True)
        write_result(at / "result.json", result)
    return folder


def quickstart_like(seeds: int = 3, noise: float = 0.012) -> list[Result]:
    """{identity, downsample, dct} × {random, dm}, the JPEG row and `full`, at the bytes of 1 and of 10 images."""
    draw = random.Random(7)
    base = {
        ("identity", "random"): (0.50, 0.70, 1), ("identity", "dm"): (0.68, 0.80, 1),
        ("downsample", "random"): (0.60, 0.74, 4), ("downsample", "dm"): (0.74, 0.82, 4),
        ("dct", "random"): (0.59, 0.735, 8), ("dct", "dm"): (0.73, 0.818, 8),
        ("jpeg", "random"): (0.62, 0.75, 9),
    }  # fmt: skip
    results = []
    for seed in range(seeds):
        for at, ipc in enumerate((1, 10)):
            for (codec, method), row in base.items():
                cell = made_up_cell(
                    codec,
                    method,
                    seed,
                    Budget(ipc=ipc),
                    codec_args={"factor": 2} if codec == "downsample" else {},
                )
                accuracies = [row[at] + draw.gauss(0, noise) for _ in range(2)]
                used = 31360 * ipc - draw.randrange(300) * (codec == "jpeg")
                results.append(made_up_result(cell, accuracies, items=row[2] * ipc, used=used, allowed=31360 * ipc))
    results.append(made_up_result(made_up_cell(method="full"), (0.85, 0.86), items=600, used=4_704_000, seconds=60))
    return results
