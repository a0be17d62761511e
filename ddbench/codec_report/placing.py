"""Names beside the points that they name, where they cover least: no library that is already here does this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ddbench.report.figures import DPI

FONT = 8
GAP_PX, DOT_PX = 9.0, 9.0
LINE_SAMPLES = 24
HIDING = 4.0
"""Covering a point or another name costs this many times the area; a line joins them through once."""
OUTSIDE = 20.0
"""A name outside the axes costs this many times its area."""
FURTHER = 0.003
"""What a name costs for each pixel of its distance, in shares of its area."""
JOINED = 1.0
"""Rows of text from which on a name is joined to its point by a line."""
ROWS = 10
"""How many rows of text a name may be away from its point."""


@dataclass(frozen=True)
class Named:
    """A name, its colour, and its points in data coordinates, in the order in which a line joins them."""

    text: str
    colour: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """Area that both cover."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        high = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(0.0, wide) * max(0.0, high)


def place(ax: Any, names: Sequence[Named], level: float | None = None) -> None:
    """Writes each name near one of its points. Call it last: the axes must not change after it.

    `level` is the height of a line across the axes, which names shun as they do the lines between points.
    """
    fig = ax.figure
    fig.draw_without_rendering()
    extent = ax.get_window_extent()
    frame = Box(extent.x0, extent.y0, extent.width, extent.height)
    pixels = [ax.transData.transform(np.array(name.points, dtype=float)) for name in names]
    taken = [_around(dot) for dots in pixels for dot in dots]
    written = [text.get_window_extent() for text in ax.texts]
    taken += [Box(w.x0, w.y0, w.width, w.height) for w in written]
    lines = [_around(at, 3.0) for dots in pixels for at in _along(dots)]
    if level is not None:
        height = ax.transData.transform((1.0, level))[1]
        lines.append(Box(frame.x, height - 3.0, frame.width, 6.0))
    for name, dots in zip(names, pixels):
        size = _size(ax, name.text)
        best, point = min(_candidates(dots, *size), key=lambda c: _cost(c[0], dots[c[1]], taken, lines, frame))
        taken.append(best)
        offset = (np.array([best.x, best.y]) - dots[point]) * 72 / DPI
        away = abs(best.y + best.height / 2 - dots[point][1]) > JOINED * best.height
        ax.annotate(
            name.text, name.points[point], xytext=tuple(offset), textcoords="offset points", fontsize=FONT,
            color=name.colour, ha="left", va="bottom", annotation_clip=False,
            arrowprops=_joint(best, dots[point], name.colour) if away else None,
        ).set_in_layout(False)  # fmt: skip


def _joint(box: Box, dot: Any, colour: str) -> dict[str, Any]:
    """A thin line to the point, from the place of the name that is nearest to it."""
    along = min(1.0, max(0.0, (dot[0] - box.x) / box.width))
    relpos = (along, 0.0 if dot[1] < box.y else 1.0)
    return {"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.7, "shrinkA": 0, "shrinkB": 3, "relpos": relpos}


def _candidates(dots: Any, width: float, height: float) -> Iterator[tuple[Box, int]]:
    """(box, index of its point) beside, above and below each point, nearer ones first."""
    for row in range(ROWS):
        for i, (x, y) in enumerate(dots):
            for up in (1, -1) if row else (1,):
                middle = y - height / 2 + up * row * height * 0.8
                for left in (x + GAP_PX, x - GAP_PX - width, *((x - width / 2,) if row > 1 else ())):
                    yield Box(left, middle, width, height), i


def _cost(box: Box, dot: Any, taken: Sequence[Box], lines: Sequence[Box], frame: Box) -> float:
    area = box.width * box.height
    covered = HIDING * sum(box.overlap(other) for other in taken) + sum(box.overlap(other) for other in lines)
    distance = abs(box.y + box.height / 2 - dot[1])
    return covered + OUTSIDE * (area - box.overlap(frame)) + FURTHER * area * distance


def _around(dot: Any, half: float = DOT_PX) -> Box:
    return Box(dot[0] - half, dot[1] - half, 2 * half, 2 * half)


def _along(dots: Any) -> Iterator[Any]:
    for a, b in pairwise(dots):
        yield from (a + (b - a) * t for t in np.linspace(0, 1, LINE_SAMPLES))


def _size(ax: Any, text: str) -> tuple[float, float]:
    """Width and height of the text in pixels."""
    artist = ax.text(0, 0, text, fontsize=FONT)
    found = artist.get_window_extent()
    artist.remove()
    return found.width, found.height
