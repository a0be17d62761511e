"""A chart of accuracy against bytes a class: what a budget buys with each codec. torch-free, matplotlib when drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ddbench.files import write_atomic
from ddbench.report.figures import INK, MUTED, axes_style, figure, png
from ddbench.report.labels import codec_label, method_label
from ddbench.report.rows import ON_CODES, Row, Score, Table, tables
from ddbench.result.schema import Result

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#8C6BB1")
"""Told apart with the common kinds of colour blindness. Source: Okabe and Ito, Color Universal Design (2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SPREAD = 0.30
"""Points of one budget stand side by side over this share of the distance to the next budget, in log bytes."""
LONE_BUDGET = 2.0
"""Factor taken for that distance where there is one budget only."""


def chart(results: Sequence[Result], out: Path) -> Path | None:
    """Draws a panel for each table of the results to a PNG and returns its path; None where nothing can be drawn.

    A point is a row: its bytes a class and its mean accuracy in the first column of the protocol, with the interval
    over seeds where there is one. Colour tells the codec, marker the method; the ceiling is a dashed line. Raises:
    RunError where the file cannot be written.
    """
    drawn = [table for table in tables(results) if table.scores and _points(table)]
    if not drawn:
        return None
    series = [_name(table, row) for table in drawn for row in _points(table)]
    colours = _assigned([codec for codec, _ in series], COLOURS)
    markers = _assigned([method for _, method in series], MARKERS)
    fig = figure(width=1.9 + 5.4 * len(drawn), height=4.4)
    axes = fig.subplots(1, len(drawn), squeeze=False)[0]
    for ax, table in zip(axes, drawn):
        _panel(ax, table, colours, markers)
    _legend(fig, colours, markers, any(row.is_ceiling for table in drawn for row in table.rows))
    write_atomic(out, png(fig))
    return out


def _points(table: Table) -> list[Row]:
    return [r for r in table.rows if not r.is_ceiling and r.used_bytes and r.accuracy(table.scores[0])]


def _name(table: Table, row: Row) -> tuple[str, str]:
    """The row's codec and method as the legend has them."""
    method = method_label(row.cell, table.differing(row))
    several = table.has_several_match_networks and row.is_matched
    return codec_label(row.cell), method + (f" via {row.cell.network}" if several else "")


def _assigned(names: Sequence[str], looks: Sequence[str]) -> dict[str, str]:
    return {name: looks[i % len(looks)] for i, name in enumerate(sorted(set(names)))}


def _bytes_a_class(row: Row) -> float:
    return (row.used_bytes or 0) / (row.classes or 1)


def _cap_a_class(row: Row) -> float:
    return (row.allowed_bytes or row.used_bytes or 0) / (row.classes or 1)


def _panel(ax: Any, table: Table, colours: dict[str, str], markers: dict[str, str]) -> None:
    score = table.scores[0]
    rows = _points(table)
    caps = sorted({_cap_a_class(r) for r in rows})
    shift = _shifts(table, rows, caps)
    lines: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        found = row.accuracy(score)
        assert found is not None
        x, y = _bytes_a_class(row) * shift[id(row)], 100 * found.mean
        codec, method = _name(table, row)
        ax.errorbar(
            x, y, yerr=None if found.half_width is None else 100 * found.half_width, color=colours[codec],
            marker=markers[method], markersize=6.5, markeredgecolor="white", markeredgewidth=0.7,
            elinewidth=1.1, capsize=2.2, zorder=3,
        )  # fmt: skip
        lines.setdefault((codec, method), []).append((x, y))
    for (codec, _), points in lines.items():
        ax.plot(*zip(*sorted(points)), color=colours[codec], linewidth=1, alpha=0.35, zorder=2)
    _ceiling(ax, table, score)
    _scales(ax, table, caps)


def _shifts(table: Table, rows: Sequence[Row], caps: Sequence[float]) -> dict[int, float]:
    """A factor on the bytes of each row, so that rows of one budget stand side by side in a fixed order."""
    nearest = min((b / a for a, b in pairwise(caps)), default=LONE_BUDGET)
    names = sorted({_name(table, row) for row in rows})
    middle = (len(names) - 1) / 2
    step = SPREAD / max(1, len(names) - 1)
    return {id(row): nearest ** (step * (names.index(_name(table, row)) - middle)) for row in rows}


def _ceiling(ax: Any, table: Table, score: Score) -> None:
    """The ceiling has a column of its own protocol, whichever column the other rows are drawn in."""
    own = [s for s in table.scores if s[1] == score[1] and s[0].endswith(ON_CODES) == score[0].endswith(ON_CODES)]
    for row in table.rows:
        found = next((a for s in own if (a := row.accuracy(s)) is not None), None) if row.is_ceiling else None
        if found is not None:
            ax.axhline(100 * found.mean, color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
            ax.annotate(
                f"{row.cell.method}: {100 * found.mean:.1f} %", (0.012, 100 * found.mean), xytext=(0, 3),
                xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8, color=INK,
            )  # fmt: skip


def _scales(ax: Any, table: Table, caps: Sequence[float]) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    column, network = table.scores[0]
    ax.set_xscale("log")
    margin = min((b / a for a, b in pairwise(caps)), default=LONE_BUDGET) ** 0.45
    ax.set_xlim(caps[0] / margin, caps[-1] * margin)
    labels = {
        _cap_a_class(r): "" if r.cell.budget.bytes_per_class else f"\n{r.cell.budget}"
        for r in _points(table)
        if r.cell.budget
    }
    ax.set_xticks(caps, [f"{cap:,.0f} B{labels[cap]}" for cap in caps])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    ax.set_ylim(max(0, low), min(100, high + 0.05 * (high - low)))
    ax.set_xlabel("bytes a class; rows of one budget side by side")
    several = len({n for _, n in table.scores}) > 1
    ax.set_ylabel(f"accuracy in %, {column.replace('_', ' ')}" + (f", {network}" if several else ""))
    split = "" if table.cell.protocol.evaluate_on == "test" else " (VALIDATION)"
    split += "" if table.is_ranked else ", not ranked"
    ax.set_title(f"{table.cell.dataset}, protocol {table.cell.protocol.name}{split}", fontsize=10, loc="left")
    axes_style(ax)


def _legend(fig: Any, colours: dict[str, str], markers: dict[str, str], ceiling: bool) -> None:
    from matplotlib.lines import Line2D

    def point(marker: str, colour: str, label: str) -> Any:
        return Line2D([], [], linestyle="", marker=marker, color=colour, markersize=7, label=label)

    blank = Line2D([], [], linestyle="", label="")
    handles = [Line2D([], [], linestyle="", label="codec"), *(point("o", c, n) for n, c in colours.items()), blank]
    handles += [Line2D([], [], linestyle="", label="method"), *(point(m, MUTED, n) for n, m in markers.items())]
    if ceiling:
        handles += [blank, Line2D([], [], color=INK, linewidth=1.1, linestyle=(0, (5, 3)), label="whole dataset")]
    legend = fig.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9, handlelength=1.8)
    for text in legend.get_texts():
        if text.get_text() in ("codec", "method"):
            text.set_fontweight("bold")
