"""Short texts in ten categories: the quotations of the Unix program `fortune`, as Debian's package fortunes has them.

The package has one file a category, its texts apart by lines of a single %. Texts of more than `length` bytes are left
out, and those that stand in several of the ten files. The split is ours: a fifth of each category for test,
near-duplicates on one side.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ddbench.datasets.locations import DATA_VARIABLE, data_root
from ddbench.datasets.near_texts import words
from ddbench.datasets.text_sets import DROPPING, TextSet, TextSide, halves
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.text import tidy

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf

CATEGORIES = ("art", "computers", "definitions", "people", "platitudes", "politics", "science", "songs-poems", "work",
              "zippy")  # fmt: skip
"""Of the package's 40 files those that name a subject or a kind of text and have 450 texts or more."""
SYSTEM_FOLDER = Path("/usr/share/games/fortunes")


class FortunesConfig(PluginConfig):
    length: int = Field(256, ge=64, le=2048, description="Bytes of a text (UTF-8); longer ones are left out.")


def root() -> Path:
    """The folder of the categories' files. Raises: DataError where there is none, saying how to get it."""
    own = data_root() / "fortunes"
    looked = (own, own / "usr/share/games/fortunes", SYSTEM_FOLDER)
    for folder in looked:
        if all((folder / name).is_file() for name in CATEGORIES):
            return folder
    raise DataError(
        f"The dataset 'fortunes' needs the files of Debian's package fortunes: {', '.join(CATEGORIES)}. Looked in: "
        f"{', '.join(map(str, looked))}. Install the package (apt install fortunes), or unpack it (apt-get download "
        f"fortunes; dpkg-deb -x FILE FOLDER) into {own} (the variable {DATA_VARIABLE} names another data folder)."
    )


def read(file: Path) -> list[str]:
    """The texts of one file, tidy, none empty. Raises: DataError where it cannot be read, or is not UTF-8."""
    try:
        lines = file.read_bytes().decode("utf-8").split("\n")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{file} should be UTF-8; its line {row} is not. Unpack the package fortunes again.") from error
    texts: list[list[str]] = [[]]
    for line in lines:
        if line.rstrip() == "%":
            texts.append([])
        else:
            texts[-1].append(line)
    return [text for parts in texts if (text := tidy("\n".join(parts)))]


@lru_cache(maxsize=4)
def texts(folder: Path, length: int) -> TextSet:
    """The ten categories, divided. Raises: DataError where one has fewer than two texts."""
    homes: dict[tuple[str, ...], set[int]] = defaultdict(set)
    first: dict[tuple[str, ...], str] = {}
    for k, name in enumerate(CATEGORIES):
        for text in read(folder / name):
            if len(text.encode("utf-8")) <= length:
                homes[words(text) or (text,)].add(k)
                first.setdefault(words(text) or (text,), text)
    kept = [(text, min(homes[known])) for known, text in first.items() if len(homes[known]) == 1]
    whole = TextSide(tuple(text for text, _ in kept), tuple(k for _, k in kept))
    if poor := [name for k, name in enumerate(CATEGORIES) if whole.labels.count(k) < 2]:
        raise DataError(
            f"{folder} has fewer than two texts of up to {length} bytes in {', '.join(poor)}. Unpack the package "
            "fortunes again, or give a larger length."
        )
    return TextSet("fortunes", CATEGORIES, *halves(whole), length)


class Fortunes(Dataset):
    """Quotations, definitions, verses and jokes of up to 256 bytes, in ten categories."""

    version = "1"
    source = "fortune-mod 1.99.1, Debian package fortunes; categories and split by ddbench"
    Config = FortunesConfig
    config: FortunesConfig

    def texts(self) -> TextSet:
        """Raises: DataError where the package is missing or damaged."""
        return texts(root(), self.config.length)

    def card(self) -> DatasetCard:
        return self.texts().card("BSD (the collection; quotations of many authors)", DROPPING)

    def load(self) -> tuple[Split, Split]:
        return self.texts().load()

    def display(self) -> DisplayOf:
        from ddbench.display.texts import Text

        return Text
