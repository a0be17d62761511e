"""What a row's accuracy means beside `random` and the whole dataset, on its page and on its board's. torch-free."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.leaderboard.board import Board, Standing
from ddbench.leaderboard.html import Grid
from ddbench.report.cells import NOTHING
from ddbench.report.labels import percent
from ddbench.report.rows import Score
from ddbench.report.scores import Area, areas, figure, scores_of
from ddbench.spec.cell import OWN_RECIPE
from ddbench.stats import Interval

GAINS = ("gain over random", "gain over random, same codec", "recovery")
MEANING = (
    "Gain: percent points above “random” at the same budget, paired over seeds, ± half width of the interval: over its "
    "float32 items (what codec and learning add), and over it through the row's own codec (what learning adds). Beside "
    "students on a set's own labels stand students of “random” on classes.",
    "Recovery: percent of the gap between “random” in float32 and the whole dataset that is closed. It needs a row of "
    "the whole dataset in this table.",
    "Area: mean accuracy in percent over log-bytes between the smallest and the largest budget of the table; linear "
    "between budgets, chance below the smallest one of a row. For rows with two budgets or more.",
)


@dataclass(frozen=True)
class Scored:
    """A board's scores: headings after the row's name, and a line for each row, grouped by budget."""

    caption: str
    heads: list[str]
    groups: list[list[tuple[Standing, list[str]]]]


def accuracies(board: Board, standing: Standing) -> Grid:
    """The row's accuracies with all three intervals of docs/statistics.md."""
    rows = []
    for score in board.table.scores:
        if found := board.table.accuracy(standing.row, score):
            sampled = board.table.sampled(standing.row, score)
            widths = (found.half_width, sampled and sampled.half_width_test, sampled and sampled.half_width_both)
            rows.append([score_name(score), percent(found.mean), *map(_width, widths), *map(str, _counts(found))])
    heads = ["column, students", "mean", "± over seeds", "± over test items", "± over both", "seeds", "students"]
    return Grid("Accuracy in percent, with 95 % intervals", heads, rows)


def _counts(found: Interval) -> tuple[int, int]:
    return found.n_seeds, found.n_students


def _width(half_width: float | None) -> str:
    return NOTHING if half_width is None else f"{100 * half_width:.1f}"


def score_name(score: Score) -> str:
    return f"{score[0].replace('_', ' ')}, {score[1]}"


def gains(board: Board, standing: Standing) -> Grid:
    """The row's gains and recovery; without lines where there is nothing to compare it with."""
    lines = [(score, _cells(board, standing, score)) for score in _compared(board)]
    rows = [[score_name(score), *cells] for score, cells in lines if set(cells) != {NOTHING}]
    caption = "Beside random and the whole dataset: gains in percent points, recovery in percent"
    return Grid(caption, ["column, students", *GAINS], rows)


def _compared(board: Board) -> list[Score]:
    return [score for score in board.table.scores if score[0] != OWN_RECIPE]


def _cells(board: Board, standing: Standing, score: Score) -> list[str]:
    found = scores_of(board.table, standing.row, score)
    share = NOTHING if found.recovery is None else f"{100 * found.recovery:.1f}"
    return [figure(found.over_random, sign="+"), figure(found.over_same_codec, sign="+"), share]


def scored(board: Board) -> Scored | None:
    """The scores of a board, less the columns that are empty; None where all are."""
    compared = _compared(board)
    several = len({network for _, network in compared}) > 1
    said = [score_name(s) if several else s[0].replace("_", " ") for s in compared]
    heads = [f"{what}, {which}" if len(said) > 1 else what for which in said for what in GAINS]
    caption = "Gains in percent points, recovery in percent" + (f": {said[0]}" if len(said) == 1 else "")
    groups = [
        [(s, [cell for score in compared for cell in _cells(board, s, score)]) for s in group if not s.row.is_ceiling]
        for group in board.groups
    ]
    lines = [cells for group in groups for _, cells in group]
    kept = [i for i in range(len(heads)) if any(cells[i] != NOTHING for cells in lines)]
    if not kept:
        return None
    return Scored(
        caption,
        [heads[i] for i in kept],
        [[(s, [cells[i] for i in kept]) for s, cells in group] for group in groups if group],
    )


def area(board: Board) -> Grid | None:
    """The area of each codec × method under its curve, in every column; None where the board has one budget."""
    by_row: dict[tuple[str, ...], dict[Score, Area]] = {}
    for score in _compared(board):
        for one in areas(board.table, score):
            by_row.setdefault((one.codec, one.method, ", ".join(one.budgets)), {})[score] = one
    if not by_row:
        return None
    shown = [score for score in _compared(board) if any(score in found for found in by_row.values())]
    first = next(iter(next(iter(by_row.values())).values()))
    rows = [
        [f"{codec} × {method}", *(figure(found[s].area) if s in found else NOTHING for s in shown), budgets]
        for (codec, method, budgets), found in by_row.items()
    ]
    caption = f"Area under accuracy against log-bytes, from {first.low_bytes:,} to {first.high_bytes:,} bytes"
    return Grid(caption, ["codec × method", *map(score_name, shown), "budgets"], rows)
