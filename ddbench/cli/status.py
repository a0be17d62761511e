"""`ddbench status`: how far a run folder is. torch-free."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from ddbench.errors import ArtifactError
from ddbench.run.folder import RunFolder

ORDER = ("ok", "running", "waiting", "failed", "out_of_memory", "diverged", "unreadable")


@click.command(epilog="\b\nExample:\n  ddbench status runs/quickstart")
@click.argument("folder", type=click.Path(path_type=Path))
def status(folder: Path) -> None:
    """Show the cells of FOLDER by state, those that run with the last line of their log, those that failed with why."""
    runs = RunFolder.open(folder)
    every = runs.keys()
    states = {key: runs.state(key) for key in every}
    counts = Counter(states.values())
    said = ", ".join(f"{counts[state]} {state.replace('_', ' ')}" for state in ORDER if counts[state])
    click.echo(f"{runs.suite_name} in {folder}: {len(states)} cells: {said or 'none'}")
    for state in ORDER[1:]:
        if state == "waiting":
            continue
        keys = [key for key, found in states.items() if found == state]
        if keys:
            click.echo(f"\n{state.replace('_', ' ')}:")
        for key in keys:
            click.echo(f"  {_title(runs, key)}: {_detail(runs, key, state)}")


def _title(runs: RunFolder, key: str) -> str:
    try:
        return runs.cell(key).title
    except ArtifactError:
        return key[:16]


def _detail(runs: RunFolder, key: str, state: str) -> str:
    if state == "running":
        return runs.progress(key) or "just started"
    try:
        result = runs.result(key)
    except ArtifactError as error:
        return f"{error} `ddbench run` computes it again."
    return " ".join(result.error.message.split()) if result and result.error else ""
