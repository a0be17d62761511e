"""Seconds and memory of `ddbench leaderboard build`, on made-up results of the size that real ones have.

    python benchmarks/leaderboard.py [--results 10000] [--size protocol|published] [--out file.json]

Results have 3 seeds a row. Of the protocol's size they have 5 students in 2 columns on 10,000 test items, learned ones
100 losses: 27 kB each. Of the size of those in leaderboard/results (9 kB, 4 students on 2,205 items, 63 losses on
average) they have 2 students in 2 columns on 2,200 items, learned ones 95 losses: 8 kB. A build runs in a
fresh process whose modules are compiled already: on one core into an empty folder, there once more with nothing
changed, and on all cores into an empty folder. Processor seconds hold those of the workers. Memory is the largest sum
over the processes of what each has for itself and its share of what they have together (PSS), with files in memory,
looked at ten times a second in a further build, which that slows by a fifth.
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
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

SEEDS = 3


@dataclass(frozen=True)
class Size:
    """What makes a result large."""

    students: int
    n_test: int
    losses: int


SIZES = {"protocol": Size(5, 10_000, 100), "published": Size(2, 2_200, 95)}
DATASETS = ("fashion_mnist", "mnist", "cifar10", "cifar100", "svhn", "imagenet_subset")
CODECS = ("identity", "downsample", "dct", "wavelet", "pca", "vq", "jpeg", "autoencoder", "sd_vae_f8", "taesd")
METHODS = ("random", "herding", "dc", "dsa", "dm", "mtt")
LEARNED = METHODS[2:]
CHILD = """
import json, os, sys, time
from pathlib import Path
workers = int(sys.argv[3])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:workers])
start = time.perf_counter()
from ddbench.leaderboard.build import build
built = build(Path(sys.argv[1]), Path(sys.argv[2]), workers)
spent = os.times()
print(json.dumps({
    "cores": workers, "seconds": round(time.perf_counter() - start, 2),
    "processor_seconds": round(sum(spent[:4]), 2), "in_the_first_process": round(sum(spent[:2]), 2),
    "results": built.results, "rows": built.rows, "tables": built.boards, "written": built.written,
}))
"""


def make(folder: Path, n: int, size: Size) -> None:
    """Writes n results below a folder, each as a run would."""
    for i, result in zip(range(n), results(size)):
        at = folder / f"submission{i // 300}" / result.key[:16]
        at.mkdir(parents=True)
        (at / "result.json").write_text(result.model_dump_json(indent=1) + "\n")


def results(size: Size) -> Iterator[Any]:
    """Results without end, the seeds of a row one after another."""
    made = import_module("made_up_results")
    from ddbench.budget import Budget
    from ddbench.result.schema import LossPoint
    from ddbench.spec.cell import EvaluationProtocol

    draw = random.Random(0)
    protocols = [EvaluationProtocol.model_validate({"name": name, "students": size.students}) for name in ("dm", "mtt")]
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
        result = made.made_up_result(cell, (0.5,) * size.students, items=ipc, used=31360 * ipc, allowed=31360 * ipc)
        centre = draw.uniform(0.4, 0.8)
        runs = tuple(run.model_copy(update=_answers(draw, centre, size.n_test)) for run in result.runs)
        learned = range(size.losses if method in LEARNED else 0)
        losses = tuple(LossPoint(step=s, loss=draw.random()) for s in learned)
        yield result.model_copy(update={"runs": runs, "losses": losses})


def _answers(draw: random.Random, centre: float, n: int) -> dict[str, Any]:
    """Answers right with probability 1/2, 5/8 or 3/4, whichever is nearest to the row's."""
    a, b, c = (draw.getrandbits(n) for _ in range(3))
    bits = a if centre < 0.55 else a | (b & c) if centre < 0.7 else a | b
    correct = base64.b64encode(bits.to_bytes(n // 8)).decode()
    return {"accuracy": bits.bit_count() / n, "n_test": n, "correct": correct}


def measured(results: Path, out: Path, workers: int) -> dict[str, Any]:
    """What a build says of itself, and the memory that another one of the same results takes, workers included."""
    to_watch = out if out.exists() else out.with_name(f"{out.name}-watched")
    found = json.loads(_build(results, out, workers)[0])
    _, peak = _build(results, to_watch, workers, is_watched=True)
    return {**found, "peak_mb": round(peak / 1e3)}


def _build(results: Path, out: Path, workers: int, *, is_watched: bool = False) -> tuple[str, int]:
    """What a build in a fresh process printed, and the most memory in kB that was seen."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as for anyone who runs the command a second time
    command = [sys.executable, "-c", CHILD, str(results), str(out), str(workers)]
    peak = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        while is_watched and child.poll() is None:
            peak = max(peak, sum(map(shared_kb, family(child.pid))) + files_kb(child.pid))
            time.sleep(0.1)
        said, _ = child.communicate()
    if child.returncode:
        raise SystemExit("the build failed")
    return said, peak


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    with suppress(OSError):
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    return [pid]


def shared_kb(pid: int) -> int:
    """PSS in kB; 0 of a process that is gone."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


def files_kb(pid: int) -> int:
    """Memory in kB of files without a name that a process has open, which is in no process's PSS."""
    found = {}
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if os.readlink(file).startswith("/memfd:"):
                    at = file.stat()
                    found[at.st_ino] = at.st_blocks // 2
    return sum(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=10_000)
    parser.add_argument("--size", choices=SIZES, default="protocol", help="how large a result is")
    parser.add_argument("--folder", type=Path, help="where results are made, and kept for the next time")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (asked.folder or Path(scratch)) / "results"
        if not folder.exists():
            make(folder, asked.results, SIZES[asked.size])
        cores = len(os.sched_getaffinity(0))
        _build(folder, Path(scratch, "first"), cores)  # compiles the modules
        found = {}
        for name, place, workers in (("one core", "one", 1), ("again", "one", 1), ("all cores", "all", cores)):
            found[name] = measured(folder, Path(scratch, place), workers)
            print(name, found[name], flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
