"""`ddbench codec report`: what codecs alone lose on a dataset, and what they cost."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.main import INTERRUPTED
from ddbench.cli.run import SOME_FAILED

if TYPE_CHECKING:
    from ddbench.codec_report.work import Listener, Outcome, Plan

REDRAW_S, SAY_EVERY_S = 0.2, 10.0
"""Seconds between two looks at the progress, on a terminal and elsewhere."""


@click.command(
    epilog="\b\nExamples:\n  ddbench codec report fashion_mnist_small --no-student"
    "\n  ddbench codec report mnist --codec identity --codec 'dct: {m: 49}' --storage float32,uint8"
    "\n  ddbench codec report fashion_mnist --codec 'pca: {components: 64}' --fit-on mnist"
)
@click.argument("dataset")
@click.option(
    "--codec", "codecs", multiple=True, metavar="CODEC",
    help="A codec, such as dct or 'dct: {m: 49}'; may be given again.  [default: all that take the signals]",
)  # fmt: skip
@click.option("--storage", default="float32,float16,uint8", show_default=True, help="Storage types, with commas.")
@click.option(
    "--budget", "budgets", multiple=True, default=("ipc:1", "ipc:10"), show_default=True, metavar="FORM:N",
    help="Count the items that fit; codecs are built as for the first. ipc, bytes_per_class or fraction.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: runs/codec-report-DATASET]")
@click.option("--items", type=click.IntRange(1), help="Reconstruct at most so many held-out signals.  [default: all]")
@click.option(
    "--evaluate-on", type=click.Choice(["test", "validation"]), default="test", show_default=True,
    help="The held-out signals; validation: a tenth of training, the test set is not touched.",
)  # fmt: skip
@click.option("--fit-on", metavar="DATASET", help="Fit codecs on another dataset of signals of the same shape.")
@click.option("--student/--no-student", default=True, show_default=True, help="Train students on reconstructions.")
@click.option("--network", default="auto: {width: 16}", show_default=True, help="The student's network.")
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True, help="Epochs of a student.")
@click.option(
    "--seed", "seeds", type=click.IntRange(0), multiple=True, default=(0,), show_default=True,
    help="Seed; given again: more students, and an interval over them.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of the process.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or one such as cuda:1.")
def report(
    dataset: str, codecs: tuple[str, ...], storage: str, budgets: tuple[str, ...], out: Path | None,
    items: int | None, evaluate_on: Any, fit_on: str | None, student: bool, network: str, epochs: int,
    seeds: tuple[int, ...], threads: int, device: str,
) -> None:  # fmt: skip
    """Measure codecs alone on DATASET: bytes, what reconstructions lose, seconds, memory.

    Rows are written as they are finished: the same command again resumes. Exit code 1 where a codec failed; one that
    does not take the signals is listed with its reason. The columns are explained in docs/codec_report.md.
    """
    from ddbench.codec_report.asked import Words, read

    words = Words(
        dataset=dataset, codecs=codecs, storages=storage, budgets=budgets, evaluate_on=evaluate_on, items=items,
        fit_on=fit_on, seeds=seeds, student=student, network=network, epochs=epochs,
    )  # fmt: skip
    asked = read(words)
    import torch

    from ddbench.codec_report.kept import Kept
    from ddbench.codec_report.work import plan, work
    from ddbench.run.phases import exact_float32
    from ddbench.run.worker import pick_device

    click.get_current_context().with_resource(exact_float32())
    chosen = pick_device(device)
    torch.set_num_threads(threads)
    planned = plan(asked, f"{chosen}, {threads} threads")
    kept = Kept(out or Path("runs") / f"codec-report-{asked.dataset}")
    click.echo(_plan(planned, kept))
    meter = _Meter(len(planned.lines))
    try:
        outcome = work(planned, kept, chosen, _command(), meter.listener())
    except KeyboardInterrupt:
        meter.clear()
        click.echo(
            f"\nInterrupted. What is finished is in {kept.folder}; run the same command again to resume.", err=True
        )
        raise click.exceptions.Exit(INTERRUPTED) from None
    meter.clear()
    _conclude(outcome, planned, kept.folder)


def _command() -> str:
    return shlex.join(["ddbench", *sys.argv[1:]])


def _plan(planned: Plan, kept: Any) -> str:
    """What is to be done, in a line."""
    asked, todo = planned.asked, [key for key in planned.keys if kept.row(key) is None]
    codecs = len({line.label for line in planned.lines})
    said = f"{kept.folder}: {len(planned.lines)} rows, {codecs} codecs at {', '.join(asked.storages)}"
    if len(todo) < len(planned.lines):
        said += f", {len(planned.lines) - len(todo)} finished before"
    if planned.without:
        said += f"; {len(planned.without)} codecs do not take what is asked"
    if asked.network is not None:
        own = sum(kept.student(key) is None for key in planned.student_keys)
        n = own + len(todo) * len(asked.seeds)
        said += f". To train: {n} students of {asked.training.epochs} epochs on {planned.card.train_size:,} signals"
    return said + "."


def _conclude(outcome: Outcome, planned: Plan, folder: Path) -> None:
    from ddbench.codec_report.files import write
    from ddbench.codec_report.render import terminal

    troubles = write(outcome, planned.card.signal, folder)
    click.echo("\n" + terminal(outcome.report))
    click.echo(f"Written to {folder}: report.json, report.md, report.csv, chart.png, picture.png")
    for trouble in troubles:
        click.echo(f"warning: {trouble}", err=True)
    if any(one.failed for one in outcome.report.without):
        raise click.exceptions.Exit(SOME_FAILED)


class _Meter:
    """Lines of progress: what is finished, and now and then how far the present row is."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.title = total, 0, ""
        self.terminal, self.drawn, self.said = sys.stderr.isatty(), 0, time.monotonic()

    def listener(self) -> Listener:
        from ddbench.codec_report.render import summary
        from ddbench.codec_report.work import Listener

        return Listener(self.begin, self.share, lambda row: self.end(row.title, summary(row)), self.fail)

    def begin(self, title: str) -> None:
        self.title, self.said = title, time.monotonic()

    def share(self, what: str, share: float) -> None:
        now = time.monotonic()
        if now - self.said < (REDRAW_S if self.terminal else SAY_EVERY_S):
            return
        self.clear()
        self.said = now
        line = f"[{self.done + 1}/{self.total}] {self.title}: {what} {share:.0%}"
        click.echo(line, nl=not self.terminal, err=True)
        self.drawn = len(line) if self.terminal else 0

    def end(self, title: str, told: str) -> None:
        self.clear()
        self.done += 1
        click.echo(f"[{self.done}/{self.total}] {title}: {told}")

    def fail(self, title: str, why: str) -> None:
        self.clear()
        self.done += 1
        click.echo(f"[{self.done}/{self.total}] {title} failed: {why}", err=True)

    def clear(self) -> None:
        if self.drawn:
            click.echo("\r" + " " * self.drawn + "\r", nl=False, err=True)
            self.drawn = 0
