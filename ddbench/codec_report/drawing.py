"""A codec report to look at: a chart of what bytes buy, and a picture of originals above their reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ddbench.codec_report.render import HEADINGS
from ddbench.codec_report.schema import CodecReport, Estimate, Row
from ddbench.codec_report.work import Outcome
from ddbench.files import write_atomic
from ddbench.interfaces.signal import SignalSpec
from ddbench.report.chart import COLOURS, MARKERS
from ddbench.report.figures import INK, MUTED, axes_style, figure, png
from ddbench.report.panels import renderer
from ddbench.report.picture import TILE_INCH, clipped, tiles

Value = Callable[[Row], float | None]
LETTER_INCH = 0.066
"""Width of a letter of eight points, on average."""
APART = 0.055
"""Least distance of two labels, as a share of the axis."""


def chart(report: CodecReport, out: Path) -> Path:
    """Fidelity, and accuracy where students were trained, against bytes an item; a point is a row. Raises: RunError."""
    name = next(iter(report.measures))
    higher = name != "nrmse"
    panels: list[tuple[str, Value]] = [
        (HEADINGS[name] if higher else f"{HEADINGS[name]} (less is better)", lambda row: _mean(row, name))
    ]
    if report.originals is not None:
        panels.append(("accuracy of students on reconstructions, %", lambda row: _percent(row.accuracy)))
    fig = figure(width=0.9 + 6.1 * len(panels), height=4.6)
    for i, (said, value) in enumerate(panels):
        ax = fig.add_subplot(1, len(panels), i + 1)
        _panel(ax, report, said, value)
        if i:
            assert report.originals is not None
            _level(ax, 100 * report.originals.mean, f"originals: {100 * report.originals.mean:.1f} %")
    _storages(fig, report)
    fitted = f", fitted on {report.asked.fit_on}" if report.asked.fit_on else ""
    fig.suptitle(f"Codecs alone on {report.asked.dataset}{fitted}", fontsize=10, x=0.01, ha="left")
    write_atomic(out, png(fig))
    return out


def _panel(ax: Any, report: CodecReport, said: str, value: Value) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    codecs = list(dict.fromkeys(row.label for row in report.rows))
    labels: list[tuple[float, float, str, str]] = []
    for i, codec in enumerate(codecs):
        rows = [row for row in report.rows if row.label == codec]
        colour = COLOURS[i % len(COLOURS)]
        found = sorted((row.stored.per_item, v, row) for row in rows if (v := value(row)) is not None)
        ax.plot([x for x, _, _ in found], [y for _, y, _ in found], color=colour, linewidth=1, alpha=0.4, zorder=2)
        for x, y, row in found:
            ax.plot(
                x, y, marker=_marker(report, row), color=colour, markersize=6.5, markeredgecolor="white",
                markeredgewidth=0.7, linestyle="", zorder=3,
            )  # fmt: skip
        exact = [row for row in rows if value(row) is None]
        if found:
            note = f" ({', '.join(r.storage_label for r in exact)}: exact)" if exact else ""
            labels.append((found[-1][0], found[-1][1], codec + note, colour))
        elif exact:
            _at_the_top(ax, exact, codec, colour)
    ax.set_xscale("log")
    ax.margins(x=0.12, y=0.1)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("bytes an item; class and set leaves come on top")
    ax.set_ylabel(said)
    axes_style(ax)
    _label(ax, labels)


def _label(ax: Any, labels: list[tuple[float, float, str, str]]) -> None:
    """Names beside the last point of each codec; where two would meet, the upper one moves up."""
    low, high = ax.get_ylim()
    left, right = ax.get_xlim()
    free: list[tuple[float, float]] = []
    for x, y, text, colour in sorted(labels, key=lambda one: one[1]):
        share = _log_share(x, left, right)
        height = (y - low) / (high - low)
        while any(abs(height - h) < APART and abs(share - s) < 0.45 for s, h in free):
            height += APART / 4
        free.append((share, height))
        on_the_left = share > 0.6
        ax.annotate(
            text, (x, y), xytext=(share, height), textcoords="axes fraction", fontsize=8, color=colour, va="center",
            ha="right" if on_the_left else "left", annotation_clip=False,
        ).set_position((share + (-0.016 if on_the_left else 0.016), height))  # fmt: skip


def _log_share(x: float, left: float, right: float) -> float:
    from math import log

    return log(x / left) / log(right / left)


def _level(ax: Any, y: float, text: str) -> None:
    ax.axhline(y, color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
    ax.annotate(
        text, (0.012, y), xytext=(0, 3), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8,
        color=INK,
    )  # fmt: skip


def _at_the_top(ax: Any, rows: list[Row], codec: str, colour: str) -> None:
    """Rows without any error have no height: they stand at the upper edge."""
    from matplotlib.transforms import blended_transform_factory

    where = blended_transform_factory(ax.transData, ax.transAxes)
    x = rows[0].stored.per_item
    ax.plot(x, 1.0, marker="^", color=colour, markersize=7, transform=where, clip_on=False)
    ax.text(x, 0.965, f"{codec}: exact", transform=where, fontsize=8, color=colour, ha="right", va="center")


def _marker(report: CodecReport, row: Row) -> str:
    return MARKERS[report.asked.storages.index(row.storage) % len(MARKERS)] if row.storage_matters else "X"


def _storages(fig: Any, report: CodecReport) -> None:
    from matplotlib.lines import Line2D

    told = dict.fromkeys((_marker(report, row), row.storage_label) for row in report.rows)
    handles = [Line2D([], [], linestyle="", marker=m, color=MUTED, markersize=7, label=said) for m, said in told]
    if len(handles) > 1:
        fig.legend(handles=handles, loc="outside upper right", frameon=False, fontsize=8, ncols=len(handles))


def _mean(row: Row, name: str) -> float | None:
    found = row.reconstruction.figures.get(name)
    return None if found is None else found.mean


def _percent(found: Estimate | None) -> float | None:
    return None if found is None else 100 * found.mean


def picture(outcome: Outcome, spec: SignalSpec, out: Path) -> Path:
    """Originals in the first row, then each row's reconstructions of the same signals. Raises: RunError."""
    report = outcome.report
    titles = ["originals", *(f"{row.label}, {row.storage_label}" for row in report.rows)]
    signals = [outcome.originals, *(outcome.examples[row.key] for row in report.rows)]
    raw = [clipped(spec, x) for x in signals]
    draw = renderer(spec, torch.cat(raw))
    label_inch = 0.25 + LETTER_INCH * max(map(len, titles))
    width = label_inch + len(outcome.originals) * draw.width * TILE_INCH
    fig = figure(width, len(raw) * TILE_INCH + 0.05, constrained=False)
    tiles(fig, raw, tuple(titles), draw, label_inch=label_inch, head_inch=0.05)
    write_atomic(out, png(fig))
    return out
