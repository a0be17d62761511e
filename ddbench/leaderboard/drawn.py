"""Pictures that results lack, drawn beside them, small enough for a site. Imports torch and matplotlib when called."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ddbench.errors import ArtifactError
from ddbench.files import write_atomic
from ddbench.leaderboard.board import boards
from ddbench.leaderboard.found import find
from ddbench.leaderboard.png import MAX_PICTURE_BYTES, MAX_WORDS_BYTES, PICTURE, WORDS, picture_place
from ddbench.report.labels import budget_label, codec_label
from ddbench.report.rows import Row
from ddbench.result.labels import Labels

MOST_ITEMS = (10, 5, 3)
"""Signals of a class: fewer where more would not fit."""
COLOURS, SCALES = (256, 64, 32), (1.0, 0.7, 0.5, 0.4)


def draw_missing(results: Path) -> Iterator[str]:
    """Draws `picture.png` beside the first seed of every row that has a stored set and no picture.

    Where the dataset says in words what an item is, they stand in `picture.txt`.

    Yields a sentence for each that cannot be drawn: sets are other people's, and one must not cost the rest theirs.
    """
    for board in boards(find(results).entries, Labels.read(results.parent)):
        for standing in board.standings:
            place = picture_place(standing)
            if place is None or os.path.lexists(results / place / PICTURE):
                continue
            try:
                _draw(standing.row, results / place)
            except Exception as error:  # noqa: BLE001  (codecs are other people's code)
                why = " ".join(str(error).split())
                yield f"no picture of {standing.name} ({place}): {type(error).__name__}: {why}"


def _draw(row: Row, folder: Path) -> None:
    from ddbench.planning.facts import display_of
    from ddbench.report.picture import picture
    from ddbench.run.cell import complete

    result = next(r for r in row.ok if r.artifact is not None)
    assert result.artifact is not None
    name = result.artifact.file
    if name != Path(name).name or (folder / name).is_symlink():
        raise ArtifactError(f"{name!r} is not a file beside the result.")
    title = f"{budget_label(row.cell)}, {codec_label(row.cell)} × {row.cell.method}"
    shown = display_of(result.cell.dataset)
    with TemporaryDirectory() as scratch:
        drawn = Path(scratch, PICTURE)
        for most in MOST_ITEMS:
            picture(folder / name, drawn, title, partial(complete, result.cell), shown, most)
            words = drawn.with_name(WORDS)
            told = words.read_bytes() if words.exists() else b""
            if (data := shrunk(drawn.read_bytes())) and len(told) <= MAX_WORDS_BYTES:
                if told:
                    write_atomic(folder / WORDS, told)
                write_atomic(folder / PICTURE, data)
                return
    raise ArtifactError(f"The picture does not fit {MAX_PICTURE_BYTES:,} bytes, or its words {MAX_WORDS_BYTES:,}.")


def shrunk(data: bytes) -> bytes | None:
    """The PNG in as many colours and pixels as MAX_PICTURE_BYTES hold; None where nothing helps."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    for scale in SCALES:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        smaller = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)
        for colours in COLOURS:
            buffer = io.BytesIO()
            smaller.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
            if buffer.tell() <= MAX_PICTURE_BYTES:
                return buffer.getvalue()
    return None
