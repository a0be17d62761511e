"""Drawings of the Open Clip Art Library, release 0.18, as Debian's package openclipart-png has them.

The package files a drawing under one folder and links it from others. A drawing's class is the one target folder that
holds or links it; what lies under several is left out. Each drawing is letterboxed: drawings reach to their border, and
a centre crop would cut them. The split is ours: a fifth of each class for test, near-duplicates on one side.
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ddbench.datasets.decoded import Pictures, decoded
from ddbench.datasets.held_out import side_by_content
from ddbench.datasets.locations import DATA_VARIABLE, data_root
from ddbench.datasets.near_duplicates import groups, ink, near_any
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.datasets.pictures import PROCESSING, channels_first, letterboxed, opened
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

TEN = ("animals", "buildings", "food", "geography", "office", "people", "plants", "recreation", "tools",
       "transportation")  # fmt: skip
OTHER = ("computer", "containers", "decorations", "education", "electronics", "science", "shapes", "signs_and_symbols",
         "special")  # fmt: skip
"""Without `unsorted`, which has drawings of the target classes, and two folders with fewer than ten drawings."""
SYSTEM_FOLDER = Path("/usr/share/openclipart/png")
MOST_PIXELS = 2**25
"""Larger drawings (16 of the package, up to 623 million pixels) are left out: one alone would take gigabytes."""
THUMB = 16
MEAN, STD = (0.857, 0.840, 0.813), (0.287, 0.298, 0.330)
"""Of the ten classes' training drawings at 64 x 64."""
PROCESS = f"letterboxed on white, {PROCESSING}"
Part = Literal["ten", "other"]


@dataclass(frozen=True)
class Drawing:
    """One file of the package: where it lies below the folder, what it holds, and its class."""

    file: str
    sha256: str
    label: int


@dataclass(frozen=True)
class Divided:
    """The drawings of a part, divided; how many there were before blank and doubtful ones were left out."""

    classes: tuple[str, ...]
    train: tuple[Drawing, ...]
    test: tuple[Drawing, ...]
    duplicates: int
    """Drawings that are a near-duplicate of an earlier one of the same part, and stay."""
    dropped: int
    """Blank ones, and in `other` near-duplicates of target drawings."""


def root() -> Path:
    """The folder with one folder a class. Raises: DataError where there is none, saying how to get it."""
    looked = (data_root() / "openclipart" / "png", data_root() / "openclipart" / "usr/share/openclipart/png",
              SYSTEM_FOLDER)  # fmt: skip
    for folder in looked:
        if all((folder / name).is_dir() for name in TEN):
            return folder
    raise DataError(
        f"The dataset 'clipart10' needs the drawings of Debian's package openclipart-png: {len(TEN)} folders "
        f"({', '.join(TEN)}). Looked in: {', '.join(map(str, looked))}. Install the package (apt install "
        f"openclipart-png), or unpack it (apt-get download openclipart-png; dpkg-deb -x FILE FOLDER) into "
        f"{looked[0].parent} (the variable {DATA_VARIABLE} names another data folder)."
    )


@lru_cache(maxsize=4)
def drawings(folder: Path, part: Part) -> tuple[Drawing, ...]:
    """The part's drawings in the order of their content's digest, so that no reader meets sorted labels.

    Raises: DataError where a class has none, or a file is no PNG.
    """
    names, first = (TEN, ()) if part == "ten" else (OTHER, TEN)
    found: dict[Path, set[str]] = defaultdict(set)
    base = folder.resolve()
    for name in (*names, *first):
        for path in (folder / name).rglob("*.png"):
            found[path.resolve()].add(name)
    listed: dict[str, Drawing] = {}
    for path, homes in sorted(found.items()):
        if len(homes) != 1 or not homes <= set(names) or not 0 < pixels(path) <= MOST_PIXELS:
            continue
        file = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
        content = hashlib.sha256(_content(path)).hexdigest()
        listed.setdefault(content, Drawing(file, content, names.index(homes.pop())))
    empty = [name for k, name in enumerate(names) if not any(d.label == k for d in listed.values())]
    if empty:
        raise DataError(f"{folder} has no drawings (*.png) of {', '.join(empty)}. Unpack openclipart-png again.")
    return tuple(listed[content] for content in sorted(listed))


def pixels(path: Path) -> int:
    """Pixels of a PNG by its header. Raises: DataError where it is no PNG."""
    try:
        with open(path, "rb") as file:
            header = file.read(24)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(header) < 24 or header[:8] != b"\x89PNG\r\n\x1a\n":
        raise DataError(f"{path} is no PNG, or was cut short. Unpack openclipart-png again.")
    width, height = struct.unpack(">II", header[16:24])
    return width * height


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def side(folder: Path, chosen: Sequence[Drawing]) -> Side:
    return Side(tuple(folder / d.file for d in chosen), tuple(d.label for d in chosen), tuple(d.sha256 for d in chosen))


def letterboxed_file(path: Path, size: int) -> UInt8[np.ndarray, "3 h w"]:
    return channels_first(letterboxed(opened(path), size))


def thumbs(folder: Path, part: Part) -> UInt8[np.ndarray, "n 3 h w"]:
    """Small copies of all the part's drawings, by which near-duplicates are told."""
    every = side(folder, drawings(folder, part))
    return decoded(
        Pictures(f"clipart10-{part}-all-{THUMB}", every.files, every.listing, (3, THUMB, THUMB), PROCESS,
                 lambda path: letterboxed_file(path, THUMB))
    )  # fmt: skip


@lru_cache(maxsize=4)
def divided(folder: Path, part: Part) -> Divided:
    """The part's drawings, divided into training and test."""
    import numpy as np

    listed, small = drawings(folder, part), thumbs(folder, part)
    keep = ink(small).any(1)
    if part == "other":
        keep &= ~near_any(small, thumbs(folder, "ten"))
    kept = [listed[i] for i in np.flatnonzero(keep)]
    group = groups(small[keep])
    names = TEN if part == "ten" else OTHER
    test = side_by_content([d.label for d in kept], [d.sha256 for d in kept], group)
    return Divided(
        classes=names,
        train=tuple(d for d, held in zip(kept, test) if not held),
        test=tuple(d for d, held in zip(kept, test) if held),
        duplicates=sum(g != i for i, g in enumerate(group)),
        dropped=len(listed) - len(kept),
    )


class ClipartConfig(PluginConfig):
    size: int = Field(64, ge=8, le=1024, description="Side of the square pictures, in pixels.")
    part: Part = Field(
        "ten",
        description="ten: the ten target classes; other: the package's other folders, for codecs that are trained on "
        "data that are not the target.",
    )


class Clipart(Dataset):
    """Clip art in ten classes (or the rest of the same package), letterboxed on white."""

    version = "1"
    source = "The Open Clip Art Library 0.18, Debian package openclipart-png; classes and split by ddbench"
    Config = ClipartConfig
    config: ClipartConfig

    @property
    def name(self) -> str:
        return "clipart10" if self.config.part == "ten" else "clipart10_other"

    @classmethod
    def fetch(cls, config: ClipartConfig, download: bool, tell: Callable[[float], None]) -> str:
        return cls(config).pictures().decode(tell)

    def pictures(self) -> PictureSet:
        """The drawings' files. Raises: DataError where the package is missing."""
        folder, size = root(), self.config.size
        parts = divided(folder, self.config.part)
        return PictureSet(
            self.name, parts.classes, side(folder, parts.train), side(folder, parts.test), (3, size, size), PROCESS,
            lambda path: letterboxed_file(path, size),
        )  # fmt: skip

    def card(self) -> DatasetCard:
        return self.pictures().card(MEAN, STD, "public domain")

    def load(self) -> tuple[Split, Split]:
        return self.pictures().load()
