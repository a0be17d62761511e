"""`ddbench plan`: what a suite would run, before anything is computed. Imports the plug-ins that the suite names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ddbench.api.session import filtered
from ddbench.cli.run import UNREADY
from ddbench.errors import SpecError

if TYPE_CHECKING:
    from ddbench.planning.plan import PlannedCell
    from ddbench.spec.cell import Cell

HEADER = ("budget", "codec", "method", "items a class", "bytes", "cap", "share", "seeds")


@click.command(epilog="\b\nExample:\n  ddbench plan quickstart")
@click.argument("suite")
@click.option("--device", default="auto", show_default=True, help="Whose speed hours are estimated for: cpu, cuda, …")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of one cell.")
@click.option("--only", metavar="TEXT", help="Plan only cells whose title holds TEXT.")
def plan(suite: str, device: str, threads: int, only: str | None) -> None:
    """Show the cells of SUITE (a path or the name of a shipped suite): items a class, bytes, seeds.

    Says from which recipes learned rows have their arguments, which mandatory rows the suite lacks, and roughly how
    long one device will take, by a moment's measurement. Computes nothing else. Exit code 3 where data or weights are
    missing: what they are is told after the cells that can be planned without.
    """
    from ddbench.planning.expand import expand_all
    from ddbench.planning.load import load_suite
    from ddbench.planning.mandatory import missing_mandatory
    from ddbench.planning.plan import kept_bytes
    from ddbench.planning.plan import plan as planned
    from ddbench.spec.cell import holds

    try:
        loaded = load_suite(suite, plugins=False)
    except SpecError:
        loaded = load_suite(suite, only=only)  # tells all mistakes at once
    all_cells, faults = expand_all(loaded, only)
    nothing = not any(holds(cell.title, only) for cell in all_cells)
    if faults and (nothing or not all(fault.is_missing for fault in faults)):
        raise loaded.document.error(faults)
    cells = filtered(all_cells, only)
    found = planned(cells)
    click.echo(f"{loaded.name}, version {loaded.version}: {len(cells)} cells")
    if loaded.description:
        click.echo(loaded.description.strip())

    def heading(p: PlannedCell) -> tuple[str, str, str]:
        return p.cell.dataset_label, p.cell.protocol.name, p.cell.protocol.evaluate_on

    for (dataset, protocol, split), group in groupby(sorted(found, key=heading), key=heading):
        click.echo(f"\n{dataset}, protocol {protocol}, scored on {split}\n\n{_grid(list(group))}")
    click.echo(
        f"\nIn all {len(cells)} cells, {sum(p.students for p in found)} students, {_disk(found)} on disk at most."
    )
    most = max(found, key=lambda p: p.memory_bytes)
    click.echo(
        f"A cell takes up to about {bytes_in_words(most.memory_bytes)} of memory on a CPU (nine in ten took "
        f"0.9 to 2.4 times as much); most for {most.cell.title.rsplit(' · ', 1)[0]}. "
        f"The signals of its datasets are {bytes_in_words(_decoded(cells))}."
    )
    click.echo(_hours(found, device, threads))
    for line in _recipes(cells):
        click.echo(line)
    if kept := kept_bytes(found):
        click.echo(
            f"What methods prepare (experts) takes {bytes_in_words(kept)} more in the cache, shared by cells: "
            "`ddbench prepare` makes it beforehand."
        )
    for sentence in missing_mandatory(all_cells):
        click.echo(f"Mandatory row absent: {sentence}")
    if faults:
        click.echo(f"Not planned, for want of data or weights:\n{loaded.document.error(faults)}", err=True)
        raise click.exceptions.Exit(UNREADY)


def _decoded(cells: Iterable[Cell]) -> int:
    """Bytes of the signals of all datasets as they are stored, which is what their memory maps would take."""
    from ddbench.planning.facts import card_of

    cards = [card_of(choice) for choice in {str(c.dataset.model_dump()): c.dataset for c in cells}.values()]
    return sum((card.train_size + card.test_size) * card.signal_bytes for card in cards)


def _hours(planned: Sequence[PlannedCell], device: str, threads: int) -> str:
    import torch

    from ddbench.planning.hours import flop_rate
    from ddbench.planning.plan import work_s
    from ddbench.run.worker import pick_device

    chosen = pick_device(device)
    torch.set_num_threads(threads)
    rate = flop_rate(str(chosen))
    silent = sorted({str(p.cell.method) for p in planned if p.work.updates is None})
    left_out = f" Without the updates of {', '.join(silent)}, which do not say." if silent else ""
    told = sorted({str(p.cell.codec) for p in planned if p.work.coding})
    alone = f"Of codecs, time and memory are counted of {', '.join(told)} alone"
    coding = alone if told else "Codecs are in neither figure"
    on = f"{chosen}, {threads} thread{'s' if threads > 1 else ''}" if chosen.type == "cpu" else str(chosen)
    return (
        f"Cells one after the other take {duration(work_s(planned, rate))}, within a factor of about two, on this "
        f"{on} ({rate / 1e9:,.0f} GFLOP/s seen). {coding}.{left_out}{_uncounted_items(planned)}"
    )


def _uncounted_items(planned: Iterable[PlannedCell]) -> str:
    """Names the rows whose time rests on a number of items that is not known beforehand."""
    rows = (p.cell for p in planned if p.cell.budget is not None and p.slots is None)
    unknown = sorted({str(cell.codec) for cell in rows if "equal_epochs" in cell.protocol.columns})
    if not unknown:
        return ""
    return (
        f" Items of {', '.join(unknown)} vary in size: they are counted as many as float32 items of the same bytes, "
        "and equal epochs take as many times longer as there are more of them."
    )


def duration(seconds: float) -> str:
    """In the largest of hours, minutes and seconds of which there are two."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.{1 if seconds < 20 * size else 0}f} {unit}"
    return f"{seconds:.0f} s"


def _disk(planned: Sequence[PlannedCell]) -> str:
    return bytes_in_words(sum(p.disk_bytes for p in planned))


def bytes_in_words(size_bytes: int) -> str:
    """In the largest of GB, MB and kB of which there is one."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= size:
            return f"{size_bytes / size:,.{2 if unit == 'GB' else 1}f} {unit}"
    return f"{size_bytes / 1e3:.1f} kB"


def _grid(planned: Sequence[PlannedCell]) -> str:
    """A line for each row, that is for cells that differ in their seed only."""
    from tabulate import tabulate

    rows: dict[str, list[PlannedCell]] = {}
    for p in planned:
        rows.setdefault(p.cell.unseeded, []).append(p)
    by_budget = sorted(rows.values(), key=lambda group: group[0].cap_bytes or float("inf"))
    lines = [_line(group) for group in by_budget]
    return tabulate(lines, HEADER, "simple", disable_numparse=True, colalign=["left"] * 3 + ["right"] * 5)


def _line(group: Sequence[PlannedCell]) -> list[str]:
    from ddbench.report.labels import budget_label, codec_label, method_label

    first = group[0]
    items, used, cap = first.slots, first.used_bytes, first.cap_bytes
    whole = first.cell.budget is None
    return [
        budget_label(first.cell),
        "–" if whole else codec_label(first.cell),
        method_label(first.cell),
        "all" if whole else "varies" if items is None else str(items),
        "–" if whole else "up to cap" if used is None else f"{used:,}",
        "–" if cap is None else f"{cap:,}",
        "–" if used is None or not cap else f"{100 * used / cap:.1f} %",
        str(len(group)),
    ]


def _recipes(cells: Iterable[Cell]) -> list[str]:
    """Each rule that gives a learned row its arguments, with the rows that have them from it."""
    from ddbench.spec.labels import arguments

    rows: dict[str, dict[str, None]] = {}
    for cell in cells:
        for use in cell.recipe:
            lines = [
                f"\nRecipe {use.name} {use.version}, {use.found}{' in part' if use.replaced else ''}: {use.source}",
                *([f"  {arguments(use.args)}"] if use.args else []),
                *([f"  replaced by the suite: {arguments(use.replaced)}"] if use.replaced else []),
            ]
            at = f"{cell.method} × {cell.codec} ({cell.space}) on {cell.dataset_label} at {cell.budget}"
            rows.setdefault("\n".join(lines), {})[at] = None
    return [f"{said}\n  for {'; '.join(at)}" for said, at in rows.items()]
