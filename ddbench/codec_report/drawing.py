"""A codec report to look at: a chart of what bytes buy, and a picture of originals above their reconstructions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ddbench.codec_report.placing import Named, place
from ddbench.codec_report.render import HEADINGS
from ddbench.codec_report.schema import CodecReport, Row
from ddbench.codec_report.work import Outcome
from ddbench.display import by_axes
from ddbench.files import write_atomic
from ddbench.interfaces.signal import SignalSpec
from ddbench.planning.facts import display_of
from ddbench.report.chart import COLOURS, MARKERS
from ddbench.report.figures import INK, MUTED, axes_style, figure, png
from ddbench.report.picture import TILE_INCH, clipped, tiles
from ddbench.spec.labels import arguments, differing

TOPS = {"psnr_db": 60.0}
"""Where an axis ends: rounding to 8 bits gives about 59 dB, and what is better cannot be told apart by eye."""
ROOM_ABOVE = 0.15
"""Of an axis with a level, since most names stand about it."""
LETTER_INCH = 0.066
"""Width of a letter of eight points, on average."""


@dataclass(frozen=True)
class Panel:
    """One value of the rows on the vertical axis."""

    said: str
    value: Callable[[Row], float | None]
    """None: the row has no error at all, which stands at the top."""
    top: float | None = None
    level: float | None = None
    """A dashed line: the same of the originals."""


def chart(report: CodecReport, out: Path) -> Path:
    """Fidelity, and accuracy where students were trained, against bytes an item; a point is a row. Raises: RunError."""
    panels = _panels(report)
    fig = figure(width=0.9 + 6.1 * len(panels), height=4.6)
    storages = _storages(fig, report)
    axes = fig.subplots(1, len(panels), squeeze=False)[0]
    names = [_draw(ax, report, panel) for ax, panel in zip(axes, panels)]
    fitted = f", fitted on {report.asked.fit_on}" if report.asked.fit_on else ""
    title = f"Codecs alone on {report.asked.dataset}{fitted}"
    fig.suptitle(title, fontsize=10, x=0.01, ha="left", y=0.985 if storages else None)
    for ax, named, panel in zip(axes, names, panels):
        place(ax, named, panel.level)
    write_atomic(out, png(fig))
    return out


def _panels(report: CodecReport) -> list[Panel]:
    name = next(iter(report.measures))

    def fidelity(row: Row) -> float | None:
        return row.reconstruction.figures[name].mean

    said = HEADINGS[name] + (" (less is better)" if name == "nrmse" else "")
    panels = [Panel(f"{said}, {_held_out(report)}", fidelity, TOPS.get(name))]
    if report.originals is not None:
        level = 100 * report.originals.mean
        said = "accuracy in %, students on reconstructions"
        panels.append(Panel(said, lambda row: 100 * row.accuracy.mean if row.accuracy else None, level=level))
    return panels


def _held_out(report: CodecReport) -> str:
    return f"{report.rows[0].reconstruction.signals:,} {report.asked.evaluate_on} signals"


def _draw(ax: Any, report: CodecReport, panel: Panel) -> list[Named]:
    """Draws the points, codec by codec; gives the names that are still to be placed."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    names, called = [], short_names(report.rows)
    heights = [v for row in report.rows if (v := panel.value(row)) is not None]
    top = panel.top if panel.top is not None and max(heights, default=panel.top) >= panel.top else None
    highest = top if top is not None else max(heights, default=1.0)
    for i, codec in enumerate(called):
        colour = COLOURS[i % len(COLOURS)]
        rows = sorted((row for row in report.rows if row.label == codec), key=lambda row: row.stored.per_item)
        values = [panel.value(row) for row in rows]
        points = [(row.stored.per_item, highest if v is None else min(v, highest)) for row, v in zip(rows, values)]
        ax.plot(*zip(*points), color=colour, linewidth=1, alpha=0.4, zorder=2)
        for row, point in zip(rows, points):
            ax.plot(
                *point, marker=_marker(report, row), color=colour, markersize=6.5, markeredgecolor="white",
                markeredgewidth=0.7, linestyle="", zorder=3, clip_on=False,
            )  # fmt: skip
        names.append(Named(called[codec], colour, tuple(points)))
    ax.set_xscale("log")
    ax.margins(x=0.1, y=0.1)
    if top is not None:
        ax.set_ylim(top=top)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0f}+" if y >= top else f"{y:.0f}"))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("bytes an item; class and set leaves come on top")
    ax.set_ylabel(panel.said)
    axes_style(ax)
    if panel.level is not None:
        _level(ax, panel.level)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + ROOM_ABOVE * (high - low))
    return names


def short_names(rows: Iterable[Row]) -> dict[str, str]:
    """What a figure calls each codec, by its label: its name, and the arguments that tell it from its namesakes.

    The table beside the figure has all arguments.
    """
    found = {row.label: row.codec for row in rows}
    called = {}
    for label, codec in found.items():
        telling = differing([other.args for other in found.values() if other.name == codec.name])
        told = arguments({name: value for name, value in codec.args.items() if name in telling})
        called[label] = " ".join(p for p in (codec.name, told) if p)
    return called


def _level(ax: Any, y: float) -> None:
    ax.axhline(y, color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
    ax.annotate(
        f"originals: {y:.1f} %", (0.012, y), xytext=(0, 3), xycoords=("axes fraction", "data"),
        textcoords="offset points", fontsize=8, color=INK,
    )  # fmt: skip


def _marker(report: CodecReport, row: Row) -> str:
    return MARKERS[report.asked.storages.index(row.storage) % len(MARKERS)] if row.storage_matters else "X"


def _storages(fig: Any, report: CodecReport) -> bool:
    """A legend of the markers, where there are several."""
    from matplotlib.lines import Line2D

    told = dict.fromkeys((_marker(report, row), row.storage_label) for row in report.rows)
    handles = [Line2D([], [], linestyle="", marker=m, color=MUTED, markersize=7, label=said) for m, said in told]
    if len(handles) > 1:
        fig.legend(handles=handles, loc="outside upper right", frameon=False, fontsize=8, ncols=len(handles))
    return len(handles) > 1


def picture(outcome: Outcome, spec: SignalSpec, out: Path) -> Path:
    """Originals in the first row, then each row's reconstructions of the same signals. Raises: RunError."""
    report = outcome.report
    called = short_names(report.rows)
    several = len({row.storage for row in report.rows if row.storage_matters}) > 1
    titles = ["originals"]
    for row in report.rows:
        titles.append(called[row.label] + (f", {row.storage}" if several and row.storage_matters else ""))
    raw = [clipped(spec, x) for x in (outcome.originals, *(outcome.examples[row.key] for row in report.rows))]
    draw = by_axes(spec, torch.cat(raw), display_of(report.asked.dataset))
    label_inch = 0.25 + LETTER_INCH * max(map(len, titles))
    width = label_inch + len(outcome.originals) * draw.width * TILE_INCH
    fig = figure(width, len(raw) * TILE_INCH + 0.05, constrained=False)
    tiles(fig, raw, titles, draw, label_inch=label_inch, head_inch=0.05)
    write_atomic(out, png(fig))
    return out
