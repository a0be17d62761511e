"""`ddbench prepare`: makes beforehand what cells of a suite share: data, codec fits, experts."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ddbench.api.session import filtered
from ddbench.cli.main import INTERRUPTED
from ddbench.cli.plan import bytes_in_words
from ddbench.cli.run import SOME_FAILED, UNREADY

if TYPE_CHECKING:
    from ddbench.planning.shared import Share
    from ddbench.run.prepare import Prepared
    from ddbench.spec.suite import Suite

REPORT_EVERY_S = 10.0
"""Seconds between two lines of progress where it is not a terminal that reads them."""
REDRAW_S = 0.2


@click.command(epilog="\b\nExamples:\n  ddbench prepare quickstart\n  ddbench prepare my_suite.yaml --only mtt")
@click.argument("suite")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or one such as cuda:1.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of the process.")
@click.option(
    "--download/--no-download", default=None, help="Whether files may be fetched; default: $DDBENCH_DOWNLOAD, else not."
)
@click.option("--only", metavar="TEXT", help="Prepare only for cells whose title holds TEXT.")
def prepare(suite: str, device: str, threads: int, download: bool | None, only: str | None) -> None:
    """Make what cells of SUITE share, so that `ddbench run` finds it: files, codec fits, encoded data, experts.

    What is made stays in the cache: the same command again resumes, and several at once share the work. Exit code 1
    where some of it failed, 3 where data are missing.
    """
    from ddbench.planning.expand import expand
    from ddbench.planning.load import load_suite
    from ddbench.planning.shared import shared_work

    meter = _Meter(sys.stderr.isatty())
    _fetch(load_suite(suite, plugins=False), only, download, meter)
    loaded = load_suite(suite, only=only)
    cells = filtered(expand(loaded, only), only)
    shares = shared_work(cells)
    import torch

    from ddbench.run.prepare import prepare as prepared
    from ddbench.run.worker import pick_device
    from ddbench.store import cache_root

    chosen = pick_device(device)
    torch.set_num_threads(threads)
    counts = Counter(share.kind for share in shares)
    said = ", ".join(f"{name} {counts[kind]}" for kind, name in NAMES.items() if counts[kind])
    click.echo(f"{loaded.name}, {len(cells)} cells. To prepare: {said}. Cache: {cache_root()}")
    done: list[Prepared] = []
    try:
        for one in prepared(shares, chosen, lambda share: meter.begin(len(done) + 1, len(shares), title(share))):
            meter.clear()
            done.append(one)
            _say(one, len(done), len(shares))
    except KeyboardInterrupt:
        meter.clear()
        click.echo("\nInterrupted. What is finished is in the cache; run the same command again to resume.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    _conclude(done)


NAMES = {"data": "data", "codec": "codec fits", "codes": "encoded data", "prepare": "work of methods (experts)"}


def _fetch(suite: Suite, only: str | None, download: bool | None, meter: _Meter) -> None:
    """Has the files ready of every dataset and codec of wanted cells; without one that plans need: exit code 3.

    That is so of a codec, and of a dataset that cannot say what it is. The rest is else prepared without a dataset.
    """
    from ddbench.datasets.locations import allow_downloads
    from ddbench.errors import DdbenchError
    from ddbench.planning.fetching import fetch, is_planned_without, used

    allowed = allow_downloads() if download is None else download
    uses, lacking, told = used(suite, only), False, set[str]()
    for i, (kind, choice) in enumerate(uses):
        try:
            said = fetch(kind, choice, allowed, meter.begin(i + 1, len(uses), f"files of {kind} {choice}"))
        except DdbenchError as error:
            meter.clear()
            if str(error) not in told:
                click.echo(f"{kind} {choice}: {error}", err=True)
            told.add(str(error))
            lacking |= not is_planned_without(kind, choice)
            continue
        meter.clear()
        if said:
            click.echo(f"{kind} {choice}: {said}")
    if lacking:
        raise click.exceptions.Exit(UNREADY)


def title(share: Share) -> str:
    """The share in words: what is made, of what, for how many cells."""
    from ddbench.report.labels import codec_label, method_label

    cell, n = share.cells[0], len(share.cells)
    split = " (validation split)" if cell.protocol.evaluate_on == "validation" else ""
    where = f"{cell.dataset}{split}"
    budgets = ", ".join(dict.fromkeys(str(c.budget) for c in share.cells))
    if share.kind == "data":
        what = f"data of {where}"
    elif share.kind == "codes":
        what = f"codes of {codec_label(cell)} of {where}"
    elif share.kind == "codec":
        what = f"fit of {codec_label(cell)} on {where} at {budgets}"
    else:
        seen = "signals" if cell.space == "signal" else f"codes of {codec_label(cell)}"
        what = f"{method_label(cell)} on {seen} of {where} at {budgets}, network {cell.network}"
    return f"{what}, for {n} cell{'s' if n > 1 else ''}"


def _say(one: Prepared, index: int, total: int) -> None:
    head = f"[{index}/{total}] {title(one.share)}:"
    for touched in one.touched:
        if touched.kind == "unsound":
            click.echo(f"note: {touched.path} was made anew: {touched.why}.", err=True)
    if one.status != "ready":
        click.echo(f"{head} {one.status}\n  {one.why}", err=True)
    elif one.share.kind == "data":
        click.echo(f"{head} here, {bytes_in_words(one.data_bytes)}, {one.seconds:.1f} s")
    else:
        parts = [f"{kind} {n} ({bytes_in_words(b)})" for kind in ("made", "found") for n, b in [one.count(kind)] if n]
        click.echo(f"{head} {', '.join(parts) or 'nothing to keep'}, {one.seconds:.1f} s")


def _conclude(done: Sequence[Prepared]) -> None:
    """The sums, and the exit code: 3 where data or the cache are not as they should be, else 1 for what failed."""
    counts = {kind: [sum(x) for x in zip(*(one.count(kind) for one in done))] or [0, 0] for kind in ("made", "found")}
    said = ", ".join(f"{kind} {n} entries ({bytes_in_words(b)})" for kind, (n, b) in counts.items())
    click.echo(f"In all {said}, {sum(one.seconds for one in done):.1f} s.")
    bad = Counter(one.status for one in done if one.status != "ready")
    if not bad:
        return
    told = ", ".join(f"{n} {SAID[status]}" for status, n in bad.items())
    click.echo(f"{sum(bad.values())} of {len(done)} are not ready: {told}. Mend that, then run it again.", err=True)
    raise click.exceptions.Exit(UNREADY if bad["no data"] or bad["unkept"] else SOME_FAILED)


SAID = {"no data": "without data", "unkept": "could not be stored", "failed": "failed"}


class _Meter:
    """How far the present share is: one line that is drawn over on a terminal, now and then a line elsewhere."""

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.drawn = terminal, 0

    def begin(self, index: int, total: int, what: str) -> Callable[[float], None]:
        start = said = time.monotonic()

        def tell(fraction: float) -> None:
            nonlocal said
            now = time.monotonic()
            if now - said < (REDRAW_S if self.terminal else REPORT_EVERY_S):
                return
            said = now
            left = f", about {(now - start) * (1 - fraction) / fraction:.0f} s left" if fraction else ""
            self.show(f"[{index}/{total}] {what}: {fraction:.0%}, {now - start:.0f} s{left}")

        if self.terminal:
            self.show(f"[{index}/{total}] {what}")
        return tell

    def show(self, line: str) -> None:
        self.clear()
        click.echo(line, nl=not self.terminal, err=True)
        self.drawn = len(line) if self.terminal else 0

    def clear(self) -> None:
        if self.drawn:
            click.echo("\r" + " " * self.drawn + "\r", nl=False, err=True)
            self.drawn = 0
