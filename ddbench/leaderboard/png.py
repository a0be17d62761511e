"""Pictures beside results, with what they show in words: taken into the site where they are small files. torch-free."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import ArtifactError
from ddbench.leaderboard.board import Standing

PICTURE = "picture.png"
WORDS = "picture.txt"
"""What the items say, where their dataset tells it in words: texts, rows by their columns."""
MAX_PICTURE_BYTES = 40_000
MAX_WORDS_BYTES = 20_000
MAX_SIDE = 8192
_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@dataclass(frozen=True)
class Png:
    """A picture's bytes and sides in pixels, and its items in words."""

    data: bytes
    width: int
    height: int
    words: str = ""


def read_png(path: Path) -> Png:
    """The picture in a file, with the words beside it.

    Raises: ArtifactError where it is none, or one of them is a link, or larger than a site should carry.
    """
    data = _small(path, MAX_PICTURE_BYTES, "a picture has")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if not data.startswith(_HEAD) or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ArtifactError(f"{path} is no PNG of a sensible size.")
    beside = path.with_name(WORDS)
    words = _small(beside, MAX_WORDS_BYTES, "words of a picture have") if os.path.lexists(beside) else b""
    return Png(data, width, height, words.decode("utf-8", "replace"))


def _small(path: Path, most: int, what: str) -> bytes:
    if path.is_symlink():
        raise ArtifactError(f"{path} is a link. Put the file itself there.")
    try:
        size = path.stat().st_size
        if size > most:
            raise ArtifactError(f"{path} has {size:,} bytes; {what} at most {most:,}.")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error


def picture_place(standing: Standing) -> str | None:
    """The folder, below that of the results, whose picture shows the row: its first seed's that has a stored set."""
    entries = (e for e in standing.entries if e.result.status == "ok" and e.result.artifact is not None)
    return next((e.at for e in entries), None)
