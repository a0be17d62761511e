"""Charts of a board: accuracy against bytes and against time, as what a template needs to draw them. torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ddbench.leaderboard.board import Board, Standing
from ddbench.leaderboard.scales import Scale, linear_ticks, log_ticks, span
from ddbench.report.labels import percent
from ddbench.report.rows import ON_CODES

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 52, 628, 18, 324
COLOURS = 8
SHAPES = (
    "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
    "M-4.5-4.5H4.5V4.5H-4.5Z",
    "M0-6L5.6 4.4H-5.6Z",
    "M0-6L6 0L0 6L-6 0Z",
    "M0 6L5.6-4.4H-5.6Z",
    "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    "M-6-3L-3-6L0-3L3-6L6-3L3 0L6 3L3 6L0 3L-3 6L-6 3L-3 0Z",
    "M0-6.5L1.8-2L6.3-1.9L2.8 1.1L4 5.6L0 3L-4 5.6L-2.8 1.1L-6.3-1.9L-1.8-2Z",
    "M-6-2.2H6V2.2H-6Z",
    "M-2.2-6H2.2V6H-2.2Z",
    "M-5.5-5.5H5.5L0 0L5.5 5.5H-5.5L0 0Z",
    "M-5.5-5.5L0 0L5.5-5.5V5.5L0 0L-5.5 5.5Z",
    "M-5-5H-1.5V1.5H5V5H-5Z",
    "M5-5H1.5V1.5H-5V5H5Z",
    "M0-5.5L5.2-1.7L3.2 4.5H-3.2L-5.2-1.7Z",
    "M-5.5-5.5H5.5V-2H2V5.5H-2V-2H-5.5Z",
)
"""Outlines of the marks of methods around (0, 0): circle, square, triangles, diamond, plus, cross, star, bars,
hourglass, bow tie, two angles, pentagon, T."""
SPREAD = 0.3
"""Rows of one budget stand side by side over this share of the distance to the next budget, in log bytes."""
LONE_BUDGET = 2.0


@dataclass(frozen=True)
class Point:
    """A row: the middle of its mark, the ends of its interval, how it looks, what it says."""

    x: str
    y: str
    low: str | None
    high: str | None
    colour: int
    shape: str
    title: str
    id: str


@dataclass(frozen=True)
class Tick:
    at: str
    text: str
    more: str = ""


@dataclass(frozen=True)
class Ceiling:
    y: str
    text: str


@dataclass(frozen=True)
class Chart:
    """One chart; all places in the units of its view box."""

    id: str
    title: str
    description: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    points: list[Point]
    ceilings: list[Ceiling]


@dataclass(frozen=True)
class Charts:
    """The charts of a board and their common legend: (name, colour) of codecs, (name, outline) of methods."""

    charts: list[Chart]
    codecs: list[tuple[str, int]]
    methods: list[tuple[str, str]]


def charts(board: Board) -> Charts | None:
    """The charts of a board in its first column of accuracies; None where it has no figure to draw."""
    table = board.table
    if not table.scores:
        return None
    score = table.scores[0]
    drawn = [
        (s, found)
        for s in board.standings
        if not s.row.is_ceiling and s.row.used_bytes and (found := table.accuracy(s.row, score))
    ]
    if not drawn:
        return None
    standings = [s for s, _ in drawn]
    codecs = {name: i % COLOURS for i, name in enumerate(sorted({s.codec for s in standings}))}
    methods = {name: SHAPES[i % len(SHAPES)] for i, name in enumerate(sorted({s.method for s in standings}))}
    ceilings = _ceilings(board)
    ends = [100 * (f.mean + side * (f.half_width or 0)) for _, f in drawn for side in (-1, 1)]
    low, high = span([*ends, *(100 * mean for _, mean in ceilings)], 0.06)
    y = Scale(max(0.0, low), min(100.0, high), BOTTOM, TOP)
    several = len({network for _, network in table.scores}) > 1
    column = score[0].replace("_", " ") + (f", {score[1]}" if several else "")
    rows = f"{len(drawn)} row{'s' if len(drawn) > 1 else ''}"

    def chart(id: str, what: str, x_label: str, x: Scale, ticks: list[Tick], at: Callable[[Standing], float]) -> Chart:
        points = []
        for standing, found in drawn:
            width = found.half_width
            points.append(
                Point(
                    x=_place(x(at(standing))),
                    y=_place(y(100 * found.mean)),
                    low=None if width is None else _place(y(max(y.low, 100 * (found.mean - width)))),
                    high=None if width is None else _place(y(min(y.high, 100 * (found.mean + width)))),
                    colour=codecs[standing.codec],
                    shape=methods[standing.method],
                    title=f"{standing.name}, {standing.row.cell.budget}, {standing.row.used_bytes:,} bytes for the "
                    f"set: {percent(found.mean, width)} %",
                    id=standing.id,
                )
            )
        return Chart(
            id=id,
            title=f"Accuracy against {what}",
            description=f"{rows} of {board.title}; {column}, with intervals over seeds. The table holds every figure.",
            x_label=x_label,
            y_label=f"accuracy in %, {column}",
            x_ticks=ticks,
            y_ticks=[Tick(_place(y(v)), f"{v:g}") for v in linear_ticks(y.low, y.high)],
            points=points,
            ceilings=[Ceiling(_place(y(100 * mean)), f"{name}: {100 * mean:.1f} %") for name, mean in ceilings],
        )

    found = [chart("bytes", "bytes", "bytes a class; rows of one budget side by side", *_by_bytes(standings))]
    if all(s.row.seconds for s in standings):
        seconds = [s.row.seconds or 1.0 for s in standings]
        x = Scale(*span(seconds, 0.06, True), LEFT, RIGHT, True)
        ticks = [Tick(_place(x(v)), f"{v:,g}") for v in log_ticks(x.low, x.high)]
        label = "seconds a cell, all phases, on the machines that ran them"
        found.append(chart("time", "time", label, x, ticks, lambda s: s.row.seconds or 1.0))
    return Charts(found, list(codecs.items()), list(methods.items()))


def _by_bytes(standings: Sequence[Standing]) -> tuple[Scale, list[Tick], Callable[[Standing], float]]:
    """The axis of bytes a class, and where each row stands on it: beside the others of its budget."""
    caps: dict[float, str] = {}
    for s in standings:
        budget = s.row.cell.budget
        caps.setdefault(_cap(s), "" if budget is None or budget.bytes_per_class else str(budget))
    order = sorted(caps)
    nearest = min((b / a for a, b in pairwise(order)), default=LONE_BUDGET)
    names = sorted({s.name for s in standings})
    step = SPREAD / max(1, len(names) - 1)
    middle = (len(names) - 1) / 2
    shift = {name: nearest ** (step * (i - middle)) for i, name in enumerate(names)}
    room = nearest**0.45
    x = Scale(order[0] / room, order[-1] * room, LEFT, RIGHT, True)
    ticks = [Tick(_place(x(cap)), f"{cap:,.0f} B", caps[cap]) for cap in order]
    if any(x(b) - x(a) < 70 for a, b in pairwise(order)):
        ticks = [Tick(_place(x(v)), f"{v:,.0f} B") for v in log_ticks(x.low, x.high)]
    used = {s.id: (s.row.used_bytes or 1) / (s.row.classes or 1) * shift[s.name] for s in standings}
    return x, ticks, lambda s: min(max(used[s.id], x.low), x.high)


def _cap(standing: Standing) -> float:
    row = standing.row
    return (row.allowed_bytes or row.used_bytes or 1) / (row.classes or 1)


def _ceilings(board: Board) -> list[tuple[str, float]]:
    """Students on the whole dataset: (method, accuracy), in the first column that the ceiling has."""
    first = board.table.scores[0]
    own = [s for s in board.table.scores if s[1] == first[1] and s[0].endswith(ON_CODES) == first[0].endswith(ON_CODES)]
    found = []
    for row in board.table.rows:
        score = next((f for s in own if (f := board.table.accuracy(row, s))), None) if row.is_ceiling else None
        if score is not None:
            found.append((row.cell.method.name, score.mean))
    return found


def _place(value: float) -> str:
    """A place to a tenth, the same text on every machine."""
    return f"{value:.1f}".removesuffix(".0")
