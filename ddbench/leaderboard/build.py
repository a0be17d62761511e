"""From a folder of results to README.md and a static site, the same bytes every time. torch-free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ddbench.errors import ArtifactError, SpecError
from ddbench.leaderboard.board import Board, Standing, boards
from ddbench.leaderboard.found import Found, find
from ddbench.leaderboard.markdown import readme
from ddbench.leaderboard.output import Made, Output
from ddbench.leaderboard.pages import HERE, STATIC, Pages, environment
from ddbench.leaderboard.png import PICTURE, Png, picture_place, read_png
from ddbench.leaderboard.suite_file import is_of_a_suite, row_suite
from ddbench.leaderboard.workers import cores, no_collection, spread
from ddbench.result.labels import Labels
from ddbench.stats.basic import t_quantile

README = "README.md"
MOST_WORKERS = 4
"""More would wait for what is done in one process, and take memory: each has what it touches for itself."""
ROWS = 100
"""Rows whose pages a worker makes at a time."""
Files = Iterator[tuple[str, bytes]]
Part = Callable[[], Files]


@dataclass
class Built:
    """What a build made, and what it could not use."""

    results: int
    rows: int
    boards: int
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    left_out: list[str] = field(default_factory=list)
    """Result files that are not sound, pictures that cannot be shown, verifications that cannot be read: sentences."""
    kept: list[str] = field(default_factory=list)
    without_picture: int = 0


def build(results: Path, out: Path, workers: int | None = None) -> Built:
    """Builds the leaderboard of the results below a folder in `out`. Writes what changed, removes what it made before
    and needs no longer, touches nothing else. The same bytes for any number of `workers`, processes that read and
    write; None for one a core, at most MOST_WORKERS.

    Raises: ArtifactError where there are no results; SpecError for mistakes in flags.yaml; RunError where a file of
    somebody else stands in the way, `out` cannot be written, or a worker was killed.
    """
    inside = _below(out, results)
    if _below(results, out) is not None:
        raise SpecError(f"{out} is the folder of the results, or lies in it. Give another one with --out.")
    workers = workers or min(cores(), MOST_WORKERS)
    with no_collection():
        found = find(results, workers, _warm_up)
        labels = Labels.read(results.parent)
        made = boards(found.entries, labels)
        rows = [(board, standing) for board in made for standing in board.standings]
        built = Built(len(found.entries), len(rows), len(made))
        built.left_out = [why for _, why in found.left_out] + list(labels.unreadable)
        pictures = _pictures(results, [s for _, s in rows], built)
        site = Output(out, _names(made, rows, pictures))
        # Where something may stand in the way, files are made one by one, so that the first to meet it is the last.
        at_once = 1 if site.is_contested else min(workers, 1 + len(rows) // ROWS)

        def put(part: Part) -> list[Made]:
            return [site.put(name, data) for name, data in part()]

        for some in spread(put, _parts(found, made, inside, pictures), at_once):
            for one in some:
                site.note(one)
        site.finish()
    built.written, built.removed, built.kept = site.written, site.removed, site.kept
    built.unchanged = len(site.names) - site.written
    return built


def _warm_up() -> None:
    """What every build waits for and no result has a part in: libraries loaded, templates compiled."""
    environment()
    t_quantile(0.975, 1)


def _names(made: Sequence[Board], rows: Sequence[tuple[Board, Standing]], pictures: dict[str, Png]) -> list[str]:
    return [
        README,
        "site/index.html",
        *(f"site/{name}" for name in STATIC),
        *(f"site/boards/{board.id}.html" for board in made),
        *(f"site/rows/{standing.id}.html" for _, standing in rows),
        *(f"site/rows/{standing.id}.yaml" for _, standing in rows if is_of_a_suite(standing.row.cell)),
        *(f"site/pictures/{id}.png" for id in pictures),
    ]


def _parts(found: Found, made: Sequence[Board], inside: str | None, pictures: dict[str, Png]) -> list[Part]:
    """Every file of the leaderboard, by parts that may be made apart, the largest first."""
    pages = Pages(found, made, None if inside is None else f"../{inside}/")
    rows = [(board, standing) for board in made for standing in board.standings]
    return [
        partial(_readme, found, made, inside),
        partial(_tops, pages),
        *(partial(_board, pages, board) for board in made),
        *(partial(_rows, pages, rows[i : i + ROWS], pictures) for i in range(0, len(rows), ROWS)),
    ]


def _readme(found: Found, made: Sequence[Board], inside: str | None) -> Files:
    yield README, readme(found, made, [] if inside is None else [("The results", inside)]).encode()


def _tops(pages: Pages) -> Files:
    for name in STATIC:
        yield f"site/{name}", (HERE / "static" / name).read_bytes()
    yield "site/index.html", pages.index()


def _board(pages: Pages, board: Board) -> Files:
    yield f"site/boards/{board.id}.html", pages.board(board)


def _rows(pages: Pages, rows: Sequence[tuple[Board, Standing]], pictures: dict[str, Png]) -> Files:
    for board, standing in rows:
        picture = pictures.get(standing.id)
        suite = row_suite(standing.row, f"row-{standing.id}")
        if suite is not None:
            yield f"site/rows/{standing.id}.yaml", suite.encode()
        yield f"site/rows/{standing.id}.html", pages.row(board, standing, suite, picture)
        if picture is not None:
            yield f"site/pictures/{standing.id}.png", picture.data


def _pictures(results: Path, standings: Sequence[Standing], built: Built) -> dict[str, Png]:
    """The picture of each row that has one beside the result of its first seed."""
    found = {}
    for standing in standings:
        place = picture_place(standing)
        path = None if place is None else results / place / PICTURE
        if path is None:
            continue
        if not os.path.lexists(path):
            built.without_picture += 1
            continue
        try:
            found[standing.id] = read_png(path)
        except ArtifactError as error:
            built.left_out.append(str(error))
    return found


def _below(folder: Path, path: Path) -> str | None:
    """Where `path` is below `folder`, with `/`; None where it is not."""
    here, there = folder.resolve(), path.resolve()
    return there.relative_to(here).as_posix() if there.is_relative_to(here) else None
