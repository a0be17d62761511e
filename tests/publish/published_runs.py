"""A run folder to publish: sound results with small sets, no training behind them."""

from __future__ import annotations

import json
from pathlib import Path

from made_up_results import made_up_cell, made_up_result
from made_up_submissions import X, submit

from ddbench.report.figures import figure, png
from ddbench.result.io import write_result
from ddbench.result.schema import Result
from ddbench.spec.cell import Cell

PRIVATE = "/home/somebody/secrets/data.bin"


def result_with_set(where: Path, cell: Cell, **changes: object) -> Result:
    """A result and its set in a folder."""
    made = submit(where, cell, x=X + cell.seed).model_copy(update=changes)
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
