"""Seconds and memory of `ddbench leaderboard build`, on made-up results of the size that real ones have.

    python benchmarks/leaderboard.py [--results 10000] [--out file.json]

Results have 3 seeds a row, 5 students in 2 columns on 10,000 test items and 100 losses: 27 kB each. The build runs in a
fresh process on one core, once into an empty folder and once more with nothing changed.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

N_TEST, STUDENTS, SEEDS, LOSSES = 10_000, 5, 3, 100
DATASETS = ("fashion_mnist", "mnist", "cifar10", "cifar100", "svhn", "imagenet_subset")
CODECS = ("identity", "downsample", "dct", "wavelet", "pca", "vq", "jpeg", "autoencoder", "sd_vae_f8", "taesd")
METHODS = ("random", "herding", "dc", "dsa", "dm", "mtt")
LEARNED = METHODS[2:]
CHILD = """
import json, os, resource, sys, time
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
start, processor = time.perf_counter(), time.process_time()
from ddbench.leaderboard.build import build
built = build(Path(sys.argv[1]), Path(sys.argv[2]))
print(json.dumps({
    "seconds": round(time.perf_counter() - start, 2), "processor_seconds": round(time.process_time() - processor, 2),
    "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3), "results": built.results,
    "rows": built.rows, "tables": built.boards, "written": built.written,
}))
"""


def make(folder: Path, n: int) -> None:
    """Writes n results below a folder, each as a run would."""
    for i, result in zip(range(n), results()):
        at = folder / f"submission{i // 300}" / result.key[:16]
        at.mkdir(parents=True)
        (at / "result.json").write_text(result.model_dump_json(indent=1) + "\n")


def results() -> Iterator[Any]:
    """Results without end, the seeds of a row one after another."""
    made = import_module("made_up_results")
    from ddbench.budget import Budget
    from ddbench.result.schema import LossPoint
    from ddbench.spec.cell import EvaluationProtocol

    draw = random.Random(0)
    protocols = [EvaluationProtocol.model_validate({"name": name, "students": STUDENTS}) for name in ("dm", "mtt")]
    widths = range(1, 1_000_000)
    for width, protocol, dataset, ipc, codec, method, seed in product(
        widths, protocols, DATASETS, (1, 10, 50), CODECS, METHODS, range(SEEDS)
    ):
        cell = made.made_up_cell(
            codec,
            method,
            seed,
            Budget.model_validate({"ipc": ipc}),
            {"quality": width},
            None,
            dataset,
            "signal",
            protocol,
        )
        result = made.made_up_result(cell, (0.5,) * STUDENTS, items=ipc, used=31360 * ipc, allowed=31360 * ipc)
        centre = draw.uniform(0.4, 0.8)
        runs = tuple(run.model_copy(update=_answers(draw, centre)) for run in result.runs)
        learned = range(LOSSES if method in LEARNED else 0)
        losses = tuple(LossPoint(step=s, loss=draw.random()) for s in learned)
        yield result.model_copy(update={"runs": runs, "losses": losses})


def _answers(draw: random.Random, centre: float) -> dict[str, Any]:
    """Answers right with probability 1/2, 5/8 or 3/4, whichever is nearest to the row's."""
    a, b, c = (draw.getrandbits(N_TEST) for _ in range(3))
    bits = a if centre < 0.55 else a | (b & c) if centre < 0.7 else a | b
    correct = base64.b64encode(bits.to_bytes(N_TEST // 8)).decode()
    return {"accuracy": bits.bit_count() / N_TEST, "n_test": N_TEST, "correct": correct}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where results are made, and kept for the next time")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (asked.folder or Path(scratch)) / "results"
        if not folder.exists():
            make(folder, asked.results)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        found = {}
        for name in ("first", "again"):
            command = [sys.executable, "-c", CHILD, str(folder), str(Path(scratch, "out"))]
            child = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found[name] = json.loads(child.stdout)
            print(name, found[name])
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
