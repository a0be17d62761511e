"""Pictures beside results: taken into the site where they are small PNG files and nothing else. torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import ArtifactError
from ddbench.leaderboard.board import Standing

PICTURE = "picture.png"
MAX_PICTURE_BYTES = 40_000
MAX_SIDE = 8192
_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@dataclass(frozen=True)
class Png:
    """A picture's bytes and sides in pixels."""

    data: bytes
    width: int
    height: int


def read_png(path: Path) -> Png:
    """The picture in a file. Raises: ArtifactError where it is none, a link, or larger than a site should carry."""
    if path.is_symlink():
        raise ArtifactError(f"{path} is a link. Put the file itself there.")
    try:
        size = path.stat().st_size
        if size > MAX_PICTURE_BYTES:
            raise ArtifactError(f"{path} has {size:,} bytes; a picture has at most {MAX_PICTURE_BYTES:,}.")
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if not data.startswith(_HEAD) or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ArtifactError(f"{path} is no PNG of a sensible size.")
    return Png(data, width, height)


def picture_place(standing: Standing) -> str | None:
    """The folder, below that of the results, whose picture shows the row: its first seed's that has a stored set."""
    entries = (e for e in standing.entries if e.result.status == "ok" and e.result.artifact is not None)
    return next((e.at for e in entries), None)
