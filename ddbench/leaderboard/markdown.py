"""A leaderboard's README.md: the tables of `ddbench table` in Markdown, a section each. torch-free."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ddbench.leaderboard.board import Board, failed
from ddbench.leaderboard.columns import footnotes
from ddbench.leaderboard.found import Found
from ddbench.leaderboard.pages import why
from ddbench.leaderboard.words import CHECK, HOW_TO_READ
from ddbench.report.cells import body, header, headings

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def readme(found: Found, made: Sequence[Board], links: Sequence[tuple[str, str]]) -> str:
    """The page. `links` are (text, target) of places beside it."""
    blocks = [
        "# ddbench leaderboard",
        "Distilled datasets, compared at the same measured bytes. Made from the results beside it by "
        "`ddbench leaderboard build`; edits are lost.\n\n"
        "With sorting, filters, charts and a page for each row: [site/index.html](site/index.html)."
        + "".join(f" [{text}]({target})." for text, target in links),
        "\n".join(f"- [{escaped(b.title)}](#{anchor(b.title)})" for b in made),
        "## How to read it",
        "\n".join(f"- {line}" for line in HOW_TO_READ),
        "## Check a row, submit a row",
        "\n".join(f"- {text} `{command}`" for text, command in CHECK),
    ]
    blocks += [_section(board) for board in made]
    if lines := [f"- {escaped(f'{r.cell.title}: {r.status}, {why(r)}')}" for r in failed(found.entries)]:
        blocks += ["## Cells that failed", "\n".join(lines)]
    if found.left_out:
        blocks += ["## Files left out", "These are no sound results; `ddbench validate` says why."]
        blocks.append("\n".join(f"- {escaped(place)}" for place, _ in found.left_out))
    return "\n\n".join(blocks) + "\n"


def _section(board: Board) -> str:
    names, align = header(board.table)
    lines = []
    for group, texts in zip(board.groups, body(board.table)):
        for standing, line in zip(group, texts):
            cells = [escaped(cell) for cell in line]
            cells[2] = f"[{cells[2]}](site/rows/{standing.id}.html)"
            tie = "–" if standing.group is None else str(standing.group)
            lines.append([*cells, tie, standing.trust])
    grid = _grid([*names, "ties", "checked"], [*align, "right", "left"], lines)
    said = [escaped(line) for line in headings(board.table)[1:]]
    if board.is_withdrawn:
        said.insert(0, "Withdrawn: these rows are ranked nowhere; their pages say why.")
    notes = [escaped(n) for n in footnotes(board) + board.absent]
    parts = [f"## {escaped(board.title)}", " ".join(said), grid, "\n".join(f"- {n}" for n in notes)]
    return "\n\n".join(p for p in parts if p)


def _grid(names: Sequence[str], align: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table, its columns as wide as their widest cell: readable as text too."""
    widths = [max(map(len, column)) for column in zip(names, *lines)]
    pads = [str.rjust if side == "right" else str.ljust for side in align]
    rule = [
        f"{'-' * (width + 1)}:" if side == "right" else f":{'-' * (width + 1)}" for width, side in zip(widths, align)
    ]
    said = [f"| {' | '.join([pad(c, w) for pad, c, w in zip(pads, line, widths)])} |" for line in (names, *lines)]
    return "\n".join([said[0], f"|{'|'.join(rule)}|", *said[1:]])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def anchor(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
