"""A run folder to publish: sound results with sets of random numbers, no training behind them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from made_up_results import made_up_cell, made_up_result

from ddbench import registry
from ddbench.artifact import load, save
from ddbench.artifact.card import Card
from ddbench.artifact.distilled import leaf_cards
from ddbench.interfaces.codec import Target
from ddbench.interfaces.signal import SignalSpec
from ddbench.report.figures import figure, png
from ddbench.result.io import write_result
from ddbench.result.schema import Artifact, Result
from ddbench.spec.cell import Cell

SIGNAL = SignalSpec((1, 4, 4), (0.5,), (0.25,))
PRIVATE = "/home/somebody/secrets/data.bin"


def result_with_set(where: Path, cell: Cell, **changes: object) -> Result:
    """A result and its set in a folder."""
    where.mkdir(parents=True)
    args = registry.configure("codec", cell.codec.name, cell.codec.args).model_dump(mode="json")
    codec = registry.build("codec", cell.codec.name, args, Target(SIGNAL, 2, 640, "float32", cell.dataset.name))
    (leaf,) = codec.leaves()
    card = Card(
        dataset=cell.dataset.name, revision="1", class_names=("a", "b"), signal=SIGNAL,
        codec=cell.codec.model_copy(update={"args": args}), codec_version=codec.version, storage="float32",
        cap_bytes=640, counts=(1, 1), leaves=leaf_cards(codec.leaves()), seed=cell.seed, sha256="",
    )  # fmt: skip
    draw = torch.Generator().manual_seed(cell.seed)
    written = save(where, card, {leaf.name: torch.randn(2, *leaf.shape, generator=draw)})
    parts = load(where).parts
    made = made_up_result(cell, used=sum(parts.values()), allowed=640)
    assert made.bytes is not None
    cost = made.bytes.model_copy(update={"parts": parts, "side": 0})
    artifact = Artifact(file="distilled.safetensors", sha256=written.sha256)
    made = made.model_copy(update={"bytes": cost, "artifact": artifact, **changes})
    write_result(where / "result.json", made)
    return made


def run_folder(path: Path) -> list[Result]:
    """Two results with sets, a failure whose traceback tells a path, pictures, and what must never go."""
    results = [
        result_with_set(path / "cells" / cell.key[:16], cell)
        for cell in (made_up_cell(seed=0), made_up_cell("downsample", seed=1, codec_args={"factor": 2}))
    ]
    failed = made_up_result(made_up_cell(method="dm"), status="failed")
    assert failed.error is not None
    told = {"message": f"cannot read {PRIVATE}", "traceback": f'File "{PRIVATE}", line 3, in at 3/4 of the way'}
    failed = failed.model_copy(update={"error": failed.error.model_copy(update=told)})
    (path / "cells" / failed.key[:16]).mkdir()
    write_result(path / "cells" / failed.key[:16] / "result.json", failed)
    for name in ("log.txt", "lock", "checkpoint.safetensors", "cell.json", "record.json", ".result.json.1.tmp"):
        (path / "cells" / results[0].key[:16] / name).write_text(PRIVATE)
    (path / "suite.json").write_text(json.dumps({"suite": "tiny", "keys": [r.key for r in [*results, failed]]}))
    (path / "table.md").write_text(PRIVATE)
    (path / "pictures").mkdir()
    drawn = png(figure(1, 1))
    for picture in (path / "chart.png", path / "pictures" / "a.png"):
        picture.write_bytes(drawn)
    return [*results, failed]
