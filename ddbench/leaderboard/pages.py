"""The pages of a leaderboard's site, rendered with every text escaped. torch-free."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ddbench.leaderboard.board import Board, Standing, failed
from ddbench.leaderboard.chart import SHAPES, charts
from ddbench.leaderboard.columns import columns, footnotes
from ddbench.leaderboard.detail import detail
from ddbench.leaderboard.found import Found
from ddbench.leaderboard.html import grid, pairs
from ddbench.leaderboard.png import Png
from ddbench.leaderboard.scores import MEANING, area, scored
from ddbench.leaderboard.words import CAPTIONS, CHECK, HOW_TO_READ
from ddbench.report.cells import NOTHING, headings
from ddbench.report.labels import budget_label, percent
from ddbench.report.rows import Row
from ddbench.report.table import RESULT
from ddbench.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).resolve().parent
STATIC = ("style.css", "script.js")


@cache
def environment() -> Environment:
    """The templates, compiled: once for all workers."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    env.globals |= {"pairs": pairs, "grid": grid}
    for name in env.list_templates():
        env.get_template(name)
    return env


@dataclass(frozen=True)
class Line:
    """A board at one budget, as the first page lists it."""

    budget: str
    rows: int
    id: str
    name: str
    ties: str
    accuracy: str


class Pages:
    """Makes pages of boards; `results_href` leads from the site's folder to that of the results, None from nowhere."""

    def __init__(self, found: Found, made: Sequence[Board], results_href: str | None) -> None:
        self.found, self.boards, self.results_href = found, made, results_href
        self.env = environment()

    def index(self) -> bytes:
        n = len(self.found.entries)
        rows = sum(len(b.standings) for b in self.boards)
        datasets = len({b.dataset for b in self.boards})
        ranked = [self._listed(b) for b in self.boards if not b.marks]
        others = [self._listed(b) for b in self.boards if b.marks]
        return self._render(
            "index.html",
            title="Tables",
            total=f"{n:,} result{'' if n == 1 else 's'}",
            root="",
            path=[],
            summary=f"{rows:,} rows on {datasets} dataset{'' if datasets == 1 else 's'}",
            ranked=ranked,
            others=others,
            captions=CAPTIONS if ranked else CAPTIONS[1:],
            how_to_read=HOW_TO_READ,
            how_to_check=CHECK,
            failed=[(r.cell.title, f"{r.status}, {why(r)}") for r in failed(self.found.entries)],
            left_out=[place for place, _ in self.found.left_out],
        )

    def _listed(self, board: Board) -> dict[str, Any]:
        lines = []
        for group in board.groups:
            first = group[0]
            tied = sum(s.group == 1 for s in group) - 1
            lines.append(
                Line(
                    budget=budget_label(first.row.cell),
                    rows=len(group),
                    id=first.id,
                    name=first.name,
                    ties=f"and {tied} more" if first.group == 1 and tied > 0 else "",
                    accuracy=_first_figure(board, first),
                )
            )
        protocol = f"protocol {board.table.cell.protocol.name}"
        return {"id": board.id, "dataset": board.dataset, "protocol": protocol, "marks": board.marks, "lines": lines}

    def board(self, board: Board) -> bytes:
        shown = columns(board)
        groups = []
        for group in board.groups:
            cell = group[0].row.cell
            lines = [
                {
                    "id": s.id, "codec": s.codec, "method": s.method, "is_best": s.group == 1,
                    "codec_name": "" if s.row.is_ceiling else s.row.cell.codec.name,
                    "method_name": s.row.cell.method.name, "cells": [column.of(s) for column in shown],
                }
                for s in group
            ]  # fmt: skip
            groups.append({"name": budget_label(cell), "title": budget_title(group[0].row), "lines": lines})
        rows = [s.row for s in board.standings]
        choices = [
            ("budget", [g["name"] for g in groups]),
            ("codec", sorted({r.cell.codec.name for r in rows if not r.is_ceiling})),
            ("method", sorted({r.cell.method.name for r in rows})),
        ]
        return self._render(
            "board.html",
            title=board.title,
            root="../",
            path=[(board.title, None)],
            board=board,
            headings=headings(board.table)[1:],
            columns=shown,
            groups=groups,
            choices=[(name, values) for name, values in choices if len(values) > 1],
            notes=footnotes(board) + board.absent,
            scored=scored(board),
            area=area(board),
            meaning=MEANING,
            drawn=charts(board),
            dot=SHAPES[0],
        )

    def row(self, board: Board, standing: Standing, suite: str | None, picture: Png | None) -> bytes:
        files = []
        for entry in standing.entries:
            place = f"{entry.at}/{RESULT}" if entry.at != "." else RESULT
            href = None if self.results_href is None else f"../{self.results_href}{quote(place)}"
            files.append((entry.result.cell.seed, place, href, entry.result.key))
        ok = standing.row.ok
        return self._render(
            "row.html",
            title=f"{standing.name}, {board.title}",
            root="../",
            path=[(board.title, f"../boards/{board.id}.html"), (standing.name, None)],
            board=board,
            row=standing,
            budget=budget_title(standing.row),
            d=detail(board, standing),
            picture=picture,
            picture_seed=ok[0].cell.seed if ok else 0,
            suite=suite,
            folders=[shlex.quote(entry.at) for entry in standing.entries],
            files=files,
        )

    def _render(self, template: str, **context: Any) -> bytes:
        return self.env.get_template(template).render(version=__version__, **context).encode()


def why(result: Any) -> str:
    """Why a cell failed, in a line."""
    error = result.error
    return "" if error is None else f"in {error.phase}: {error.kind}: {' '.join(error.message.split())}"


def budget_title(row: Row) -> str:
    """A budget with the bytes that it allows."""
    if row.cell.budget is None:
        return "the whole dataset, no budget"
    allowed = f", {row.allowed_bytes:,} bytes for the set" if row.allowed_bytes else ""
    return f"{row.cell.budget}{allowed}"


def _first_figure(board: Board, standing: Standing) -> str:
    found = (board.table.accuracy(standing.row, score) for score in board.table.scores)
    figure = next((f for f in found if f), None)
    return NOTHING if figure is None else percent(figure.mean, figure.half_width)
