"""Any folder of text files with one folder a class; each file is a text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from ddbench.datasets.locations import DATA_VARIABLE, data_root
from ddbench.datasets.text_file import below_data_folder, known_encoding
from ddbench.datasets.text_rows import Row, text_set
from ddbench.datasets.text_sets import TextConfig, TextSet
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf

TEST_FOLDERS = ("test", "val")


class TextFolderConfig(TextConfig):
    name: str = Field("texts", description="The folder below the data folder; it names the dataset.")
    encoding: str = Field("utf-8", description="Of the files.")
    suffix: str = Field(".txt", description="Of the files that are read; '' for all.")

    _below = field_validator("name")(below_data_folder)
    _known = field_validator("encoding")(known_encoding)


class TextFolder(Dataset):
    """Text files as {train, test or val}/CLASS/**, or as CLASS/** (then divided by content)."""

    version = "1"
    source = "the layout of torchvision's ImageFolder and scikit-learn's load_files"
    Config = TextFolderConfig
    config: TextFolderConfig

    def texts(self) -> TextSet:
        """Raises: DataError naming the files of what is wrong."""
        root = data_root() / self.config.name
        if not root.is_dir():
            raise DataError(
                f"There is no folder {root}. Put text files there as train/CLASS/* and test/CLASS/*, or as CLASS/* "
                f"({DATA_VARIABLE} names another data folder)."
            )
        found = folders(root)
        held = [name for name in TEST_FOLDERS if name in found]
        if "train" not in found or not held:
            return text_set(self.config.name, list(self._rows(root, root)), None, self.config.length)
        train, test = (list(self._rows(root / name, root)) for name in ("train", held[0]))
        return text_set(self.config.name, train, test, self.config.length)

    def _rows(self, folder: Path, root: Path) -> Iterator[Row]:
        for label in folders(folder):
            for file in files(folder / label, self.config.suffix):
                where = file.relative_to(root).as_posix()
                try:
                    yield Row(where, file.read_bytes().decode(self.config.encoding), label)
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{file} is not {self.config.encoding}: byte {error.start} cannot be read. Name the files' "
                        "encoding with the argument 'encoding', or leave the file out."
                    ) from error
                except OSError as error:
                    raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error

    def card(self) -> DatasetCard:
        config = self.config
        return self.texts().card("the user's to say", config.augmentation, config.family)

    def load(self) -> tuple[Split, Split]:
        return self.texts().load()

    def display(self) -> DisplayOf:
        from ddbench.display.texts import Text

        return Text


def folders(root: Path) -> list[str]:
    """The names of the folders in `root`, sorted; hidden ones are passed over."""
    try:
        return sorted(e.name for e in os.scandir(root) if e.is_dir(follow_symlinks=False) and e.name[0] != ".")
    except OSError as error:
        raise DataError(f"The folder {root} cannot be read: {error.strerror or error}.") from error


def files(folder: Path, suffix: str) -> list[Path]:
    """The files below a folder by name, hidden ones and links passed over: no way leads out of the folder."""
    return sorted(
        Path(way) / name
        for way, below, names in os.walk(folder)
        for name in names
        if name.endswith(suffix) and name[0] != "." and not (Path(way) / name).is_symlink()
    )
