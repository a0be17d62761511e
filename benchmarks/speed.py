"""Speed and memory of ddbench beside the published loops' shape, as ratios measured in one run.

    python benchmarks/speed.py dm|dc|mtt|latent|encode|decode|experts|students|test|all
                           [--device cpu|cuda] [--threads 1] [--out file.json]

Each side runs in a fresh process, the two in turn (A B A B …), so that a drift of the machine meets both: the plain one
with the C library's default allocator, ddbench's with the environment that its engine gives its workers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from case import Case, Comparison, subjects

from ddbench.engines.local import ALLOCATOR
from ddbench.errors import DdbenchError
from ddbench.run.worker import pick_device

HERE = Path(__file__).resolve().parent
RECIPE_ITERATIONS = 20_000
"""Updates of the published DM recipe."""
SIDES = ("plain", "ddbench")


def environment(side: str, threads: int) -> dict[str, str]:
    """The allocator's settings for ddbench's side only."""
    bare = {k: v for k, v in os.environ.items() if k not in ALLOCATOR}
    given = {**bare, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(HERE)}
    return given | ALLOCATOR if side == "ddbench" else given


def run(side: str, case: Case, warm: int, repeats: int, threads: int, peak: bool = False) -> dict[str, Any]:
    """What a fresh process measures. Raises: SystemExit with its message where it fails."""
    order = {"side": side, "case": case.as_dict(), "warm": warm, "repeats": repeats, "threads": threads, "peak": peak}
    as_run = environment("ddbench" if case.tuned else side, threads)
    command = [sys.executable, str(HERE / "child.py"), json.dumps(order)]
    child = subprocess.run(command, env=as_run, capture_output=True, text=True)
    if child.returncode:
        raise SystemExit(f"The {side} side of {case.subject} failed (exit code {child.returncode}):\n{child.stderr}")
    return json.loads(child.stdout.splitlines()[-1])


def compare(comparison: Comparison, threads: int, rounds: int) -> dict[str, Any]:
    """Medians of both sides, and the median and range over rounds of the ratio."""
    case, found = comparison.case, {side: [] for side in SIDES}
    for i in range(rounds):
        for side in SIDES:
            peak = side == "ddbench" and i == 0 and case.subject == "dm"
            found[side].append(run(side, case, comparison.warm, comparison.repeats, threads, peak))
    row: dict[str, Any] = {"title": comparison.title, "case": case.as_dict(), "target": comparison.target}
    for clock in ("wall_s", "cpu_s"):
        times = {side: [median(r[clock]) for r in found[side]] for side in SIDES}
        ratios = [a / b for a, b in zip(*times.values())]
        row[clock] = {side: median(t) for side, t in times.items()}
        row[clock] |= {"ratio": median(ratios), "least": min(ratios), "most": max(ratios)}
    row["above_base_bytes"] = {side: max(r["above_base_bytes"] for r in found[side]) for side in SIDES}
    row["alone"] = [alone(c, row, threads) for c in comparison.lone]
    first = found["ddbench"][0]
    if "flop" in first:
        seconds = row["wall_s"]["ddbench"]
        row["recipe_s"] = RECIPE_ITERATIONS * seconds
        row["of_matmul_peak"] = first["flop"] / seconds / first["matmul_flop_s"]
    return row


def alone(case: Case, row: dict[str, Any], threads: int) -> dict[str, Any]:
    """ddbench's side of a longer case, and its memory against the compared one."""
    found = run("ddbench", case, 0, 1, threads)
    growth = found["above_base_bytes"] / row["above_base_bytes"]["ddbench"]
    return {"case": case.as_dict(), **found, "memory_growth": growth}


def report(row: dict[str, Any]) -> str:
    wall, cpu, most = row["wall_s"], row["cpu_s"], row["above_base_bytes"]
    target = f" (asked: {row['target']:.2f})" if row["target"] else ""
    lines = [
        f"{row['title']}: {wall['plain']:.3f} s plain, {wall['ddbench']:.3f} s ddbench; ratio {wall['ratio']:.2f}"
        f" [{wall['least']:.2f}, {wall['most']:.2f}]{target}; by processor time {cpu['ratio']:.2f}; memory above base"
        f" {most['plain'] / 1e6:.0f} MB plain, {most['ddbench'] / 1e6:.0f} MB ddbench"
    ]
    for x in row["alone"]:
        letter, field = ("N", "steps") if x["case"]["subject"] == "mtt" else ("n", "n")
        lines.append(
            f"  {letter} = {x['case'][field]}: {x['wall_s'][0]:.2f} s, {x['above_base_bytes'] / 1e6:.0f} MB above base,"
            f" {x['memory_growth']:.2f} times that of {letter} = {row['case'][field]}"
        )
    if row["case"]["subject"] == "encode":
        thousand_s = 1000 * wall["ddbench"] / row["case"]["images"]
        lines.append(f"  {thousand_s:.1f} s for 1,000 images, {13 * thousand_s / 60:.1f} min for 13,000")
    if "recipe_s" in row:
        # In one thread of a CPU, convolutions pass what large matrix products reach: no peak to compare with.
        on_gpu = row["case"]["device"] != "cpu"
        share = f"; {row['of_matmul_peak']:.0%} of the measured matrix-product rate" if on_gpu else ""
        minutes = row["recipe_s"] / 60
        lines.append(
            f"  {1000 * wall['ddbench']:.1f} ms an iteration, {minutes:.1f} min for {RECIPE_ITERATIONS:,}{share}"
        )
    return "\n".join(lines)


def machine(threads: int) -> dict[str, Any]:
    from importlib.metadata import version

    names = ("model name", "Model", "Hardware")
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    processor = next((x.split(":", 1)[1].strip() for x in lines if x.startswith(names)), platform.processor())
    asked = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return {
        "commit": commit,
        "processor": processor,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "threads": threads,
        "torch": version("torch"),
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main(arguments: Sequence[str] | None = None, table: dict[str, list[Comparison]] | None = None) -> list[Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=[*subjects(), "all"])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:<i>")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "bf16"], help="on both sides")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, help="pairs of processes; default: each comparison's own")
    parser.add_argument("--repeats", type=int, help="units of work a process; default: each comparison's own")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    try:
        pick_device(asked.device)
    except DdbenchError as error:
        parser.error(str(error))
    table = table or subjects(asked.device, asked.precision)
    rows = []
    facts = machine(asked.threads)
    print(", ".join(f"{k} {v}" for k, v in facts.items()), flush=True)
    for subject in table if asked.subject == "all" else [asked.subject]:
        for comparison in table[subject]:
            chosen = replace(comparison, repeats=asked.repeats or comparison.repeats)
            rows.append(compare(chosen, asked.threads, asked.rounds or comparison.rounds))
            print(report(rows[-1]), flush=True)
            if asked.out:
                asked.out.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1) + "\n")
    return rows


if __name__ == "__main__":
    main()
