"""`ddbench run`: brings every cell of a suite to a result, then prints and draws what was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ddbench.cli.main import INTERRUPTED
from ddbench.cli.progress import Progress
from ddbench.errors import ArtifactError, RunError, SpecError, VersionError
from ddbench.interfaces.engine import Engine, Job
from ddbench.report.table import Collection, failures, render

if TYPE_CHECKING:
    from ddbench.result.schema import Result
    from ddbench.run.folder import RunFolder
    from ddbench.spec.cell import Cell

DEFAULT_ENGINE = "local"
FAILURES = ("failed", "out_of_memory", "diverged")
SOME_FAILED = 1
UNREADY = 3
"""Exit code where data are missing: whatever needs them is tried again by the next run."""
POLL_S = 1.0
IDLE_ROUNDS = 2
"""Rounds in which no cell was brought to a result before the command gives up."""


@click.command(
    epilog="\b\nExamples:\n  ddbench run quickstart\n  ddbench run my_suite.yaml --out runs/mine --only 'dct × dm'"
)
@click.argument("suite")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME of the suite]")
@click.option("--engine", default="auto", show_default=True, help="Where cells run; see `ddbench list engines`.")
@click.option("--slots", type=click.IntRange(1), help="Worker processes.  [default: as the engine sees fit]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or a list such as cuda:0,cuda:1.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of a process.")
@click.option(
    "--checkpoint-s", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
    help="Seconds between checkpoints.",
)  # fmt: skip
@click.option("--retry-failed", is_flag=True, help="Run cells that failed once more.")
@click.option("--only", metavar="TEXT", help="Run only cells whose title holds TEXT.")
@click.option("--report/--no-report", default=True, help="Write table.md, chart.png and pictures.")
def run(
    suite: str, out: Path | None, engine: str, slots: int | None, device: str, threads: int,
    checkpoint_s: float, retry_failed: bool, only: str | None, report: bool,
) -> None:  # fmt: skip
    """Run the cells of SUITE: a path, or the name of a shipped suite.

    What is finished stays: the same command again resumes. Exit code 1 where cells failed, 3 where their data are
    missing or damaged; the same command tries those again.
    """
    from ddbench.planning.expand import expand
    from ddbench.planning.load import load_suite
    from ddbench.planning.mandatory import missing_mandatory
    from ddbench.run.folder import RunFolder
    from ddbench.spec.find import find_suite

    loaded = load_suite(suite)
    cells = expand(loaded)
    wanted = filtered(cells, only)
    for sentence in missing_mandatory(cells):
        click.echo(f"warning: mandatory row absent: {sentence}", err=True)
    chosen = _engine(engine, slots, device)
    runs = RunFolder.create(out or Path("runs") / loaded.name, loaded.name, find_suite(suite), cells)
    todo = _to_do(runs, wanted, retry_failed)
    idle = 0
    while todo and idle < IDLE_ROUNDS:
        _run_engine(chosen, Job(runs.path, [c.key for c in todo], device, threads, checkpoint_s), todo)
        left = _left_by_others(runs, todo)
        idle = idle + 1 if len(left) == len(todo) else 0
        todo = left
    _report(runs, _results(runs, cells), report)
    _conclude(runs, wanted, _results(runs, wanted))


def filtered(cells: Sequence[Cell], only: str | None) -> list[Cell]:
    """The cells whose title holds the text. Raises: SpecError where none does."""
    found = [c for c in cells if only is None or only.lower() in c.title.lower()]
    if not found:
        example = f" A title looks like {cells[0].title!r}." if cells else ""
        raise SpecError(f"No cell of the suite has {only!r} in its title.{example}")
    return found


def _to_do(runs: RunFolder, wanted: Sequence[Cell], retry_failed: bool) -> list[Cell]:
    """The cells that still need a result; says how many have one."""
    todo, done, failed = [], 0, 0
    for cell in wanted:
        state = runs.state(cell.key)
        if state in FAILURES and (retry_failed or _lacked_data(runs, cell)):
            runs.forget(cell.key)
            todo.append(cell)
        elif state == "ok" or state in FAILURES:
            done += 1
            failed += state != "ok"
        else:
            if state == "unreadable":
                _refuse_other_versions(runs, cell.key)
                click.echo(f"warning: the result of {cell.title} cannot be read; it is computed again.", err=True)
            todo.append(cell)
    said = f"{runs.path}: {len(todo)} cells to run"
    if done:
        said += f", {done} finished before"
    if failed:
        said += f" ({failed} of them failed; --retry-failed runs them again)"
    click.echo(said)
    return todo


def _lacked_data(runs: RunFolder, cell: Cell) -> bool:
    result = runs.result(cell.key)
    return result is not None and lacks_data(result)


def lacks_data(result: Result) -> bool:
    """Whether a cell failed for its data: missing, damaged, or not what the dataset says."""
    error = result.error
    return result.status == "failed" and error is not None and (error.phase, error.kind) == ("data", "DataError")


def _refuse_other_versions(runs: RunFolder, key: str) -> None:
    """Raises: VersionError where the result is of a version that this ddbench does not know: it may be sound."""
    try:
        runs.result(key)
    except VersionError:
        raise
    except ArtifactError:
        return


def _engine(engine: str, slots: int | None, device: str) -> Engine:
    """The engine that was asked for; devices are looked at now, before anything is done."""
    from ddbench import registry
    from ddbench.run.worker import pick_device

    for name in device.split(","):
        pick_device(name)
    name = DEFAULT_ENGINE if engine == "auto" else engine
    return registry.build("engine", name, {} if slots is None else {"slots": slots})


def _left_by_others(runs: RunFolder, todo: Sequence[Cell]) -> list[Cell]:
    """Cells that another process had and that it left without a result; waits for those that it is still at."""
    held = [c for c in todo if runs.state(c.key) == "running"]
    if held:
        click.echo(f"{len(held)} cells are with another process; waiting for them (Ctrl-C leaves them to it).")
    try:
        while any(runs.state(c.key) == "running" for c in held):
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        _interrupted(runs.path)
    return [c for c in todo if runs.state(c.key) == "waiting"]


def _interrupted(folder: Path) -> NoReturn:
    click.echo(f"\nInterrupted. What is finished is in {folder}; run the same command again to resume.", err=True)
    raise click.exceptions.Exit(INTERRUPTED) from None


def _run_engine(chosen: Engine, job: Job, todo: Sequence[Cell]) -> None:
    try:
        with Progress({cell.key: cell.title for cell in todo}) as progress:
            chosen.run(job, progress)
    except KeyboardInterrupt:
        _interrupted(job.folder)


def _results(runs: RunFolder, wanted: Sequence[Cell]) -> Collection:
    results, unreadable = [], []
    for cell in wanted:
        try:
            result = runs.result(cell.key)
        except ArtifactError as error:
            unreadable.append(str(error))
            continue
        if result is not None:
            results.append(result)
    return Collection(tuple(results), tuple(unreadable))


def _report(runs: RunFolder, found: Collection, files: bool) -> None:
    if not found.results:
        return
    click.echo("\n" + render(found))
    if not files:
        return
    from ddbench.report.files import write_report

    try:
        written = write_report(runs, found)
    except RunError as error:
        click.echo(f"warning: no report was written: {error}", err=True)
        return
    for trouble in written.troubles:
        click.echo(f"warning: {trouble}", err=True)
    click.echo(f"table     {written.table}")
    if written.chart:
        click.echo(f"chart     {written.chart}")
    if written.pictures:
        click.echo(f"pictures  {written.pictures[0].parent} ({len(written.pictures)}, one a row)")
    click.echo(f"results   {runs.path / 'cells'}/*/result.json")


def _conclude(runs: RunFolder, wanted: Sequence[Cell], found: Collection) -> None:
    """Says what failed or is not there yet, and ends with the exit code that tells it."""
    dataless = [r for r in found.results if lacks_data(r)]
    failed = failures(found)
    waiting = len(wanted) - len(found.results) - len(found.unreadable)
    if waiting:
        click.echo(f"{waiting} of {len(wanted)} cells have no result; run the same command again.", err=True)
    if failed:
        click.echo(f"{len(failed)} of {len(wanted)} cells failed (logs: {runs.path / 'cells'}/*/log.txt):", err=True)
        for line in failed:
            click.echo(f"  {line}", err=True)
    if dataless:
        click.echo(
            f"{len(dataless)} of them lack their data; once these are there, run the same command again.", err=True
        )
    if len(failed) > len(dataless):
        click.echo("Run the same command with --retry-failed to try them again.", err=True)
    if dataless:
        raise click.exceptions.Exit(UNREADY)
    if failed or waiting or found.unreadable:
        raise click.exceptions.Exit(SOME_FAILED)
