"""`ddbench run`: brings every cell of a suite to a result, then prints and draws what was found."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.api.progress import Progress, terminal_bar
from ddbench.api.session import Interrupted, Options, Said, bring, lacks_data
from ddbench.cli.main import INTERRUPTED
from ddbench.errors import RunError
from ddbench.report.table import Collection, failures, render

if TYPE_CHECKING:
    from ddbench.run.folder import RunFolder
    from ddbench.spec.cell import Cell

SOME_FAILED = 1
UNREADY = 3
"""Exit code where data are missing: whatever needs them is tried again by the next run."""


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
    from ddbench.api.suites import given

    options = Options(engine, slots, device, threads, checkpoint_s, retry_failed, only)
    try:
        brought = bring(given(suite, only), out, options, _said())
    except Interrupted as interrupted:
        where = interrupted.folder
        click.echo(f"\nInterrupted. What is finished is in {where}; run the same command again to resume.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    _report(brought.folder, brought.found(), report)
    _conclude(brought.folder, brought.wanted, brought.found(brought.wanted))


def _said() -> Said:
    """Words to the terminal; a bar where both streams are one."""

    def progress(titles: Mapping[str, str]) -> Progress:
        bar = terminal_bar(len(titles)) if sys.stderr.isatty() and sys.stdout.isatty() else None
        return Progress(titles, bar, click.echo)

    return Said(click.echo, lambda text: click.echo(f"warning: {text}", err=True), progress, "--retry-failed")


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
