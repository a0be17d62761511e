"""Any table of texts and labels: a CSV, TSV or Parquet file."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from ddbench.datasets.locations import DATA_VARIABLE, data_root
from ddbench.datasets.sheets import read_sheet
from ddbench.datasets.text_rows import Row, label_of, text_set
from ddbench.datasets.text_sets import TextConfig, TextSet
from ddbench.errors import DataError, did_you_mean
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf


def below_data_folder(name: str) -> str:
    """The way below the data folder: where that lies is not the cell's business."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} should be a way below the data folder, which {DATA_VARIABLE} names")
    return path.as_posix()


def known_encoding(name: str) -> str:
    try:
        "".encode(name)  # fails for those that are not of texts, such as rot13
        return codecs.lookup(name).name
    except LookupError as error:
        raise ValueError(f"{name!r} is no encoding of texts that Python knows, such as utf-8 or latin-1") from error


class TextFileConfig(TextConfig):
    file: str = Field("texts.csv", description="The file below the data folder: .csv, .tsv or .parquet.")
    test_file: str = Field("", description="Another file to score on; '': a fifth of the first, by content.")
    text: str = Field("text", description="The column of texts.")
    label: str = Field("label", description="The column of labels.")
    encoding: str = Field("utf-8", description="Of CSV and TSV files.")

    _below = field_validator("file")(below_data_folder)
    _known = field_validator("encoding")(known_encoding)

    @field_validator("test_file")
    @classmethod
    def _below_too(cls, name: str) -> str:
        return below_data_folder(name) if name else ""


class TextFile(Dataset):
    """Texts and labels of a CSV, TSV or Parquet file with a header."""

    version = "1"
    source = "RFC 4180 (CSV); Apache Parquet"
    Config = TextFileConfig
    config: TextFileConfig

    def texts(self) -> TextSet:
        """Raises: DataError naming file and row of what is wrong."""
        config = self.config
        files = [data_root() / name for name in (config.file, config.test_file) if name]
        stamps = tuple(stamp(file) for file in files)
        return _texts(config.model_dump_json(), tuple(files), stamps)

    def card(self) -> DatasetCard:
        config = self.config
        return self.texts().card("the user's to say", config.augmentation, config.family)

    def load(self) -> tuple[Split, Split]:
        return self.texts().load()

    def display(self) -> DisplayOf:
        from ddbench.display.texts import Text

        return Text


@lru_cache(maxsize=4)
def _texts(written: str, files: tuple[Path, ...], stamps: tuple[tuple[int, int], ...]) -> TextSet:
    config = TextFileConfig.model_validate_json(written)
    train, *test = (list(rows_of(file, config)) for file in files)
    return text_set(Path(config.file).with_suffix("").as_posix(), train, test[0] if test else None, config.length)


def stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise DataError(
            f"There is no file {file}. Put it there, or name another one with the argument 'file' ({DATA_VARIABLE} "
            "names another data folder)."
        ) from error
    return found.st_size, found.st_mtime_ns


def rows_of(file: Path, config: TextFileConfig) -> Iterator[Row]:
    """The rows of one file. Raises: DataError where it cannot be read, or lacks a column."""
    if file.suffix == ".parquet":
        return _parquet(file, config)
    return _csv(file, config)


def _csv(file: Path, config: TextFileConfig) -> Iterator[Row]:
    sheet = read_sheet(file, config.encoding, all_named=False)
    _check_columns(file, sheet.columns, config)
    for place, text, label in zip(sheet.places, sheet.column(config.text), sheet.column(config.label)):
        yield Row(place, text, label_of(label))


def _parquet(file: Path, config: TextFileConfig) -> Iterator[Row]:
    from pyarrow import ArrowException, parquet

    try:
        names = parquet.read_schema(file).names
        _check_columns(file, names, config)
        table = parquet.read_table(file, columns=[config.text, config.label]).to_pydict()
    except (OSError, ArrowException) as error:
        raise DataError(f"{file} cannot be read as Parquet: {' '.join(str(error).split()).rstrip('.')}.") from error
    for i, (text, label) in enumerate(zip(table[config.text], table[config.label])):
        if text is not None and not isinstance(text, str):
            raise DataError(f"{file.name} row {i} holds {type(text).__name__} in the column {config.text!r}, no text.")
        yield Row(f"{file.name} row {i}", text or "", label_of(label))


def _check_columns(file: Path, names: Sequence[str], config: TextFileConfig) -> None:
    for column in (config.text, config.label):
        if column not in names:
            raise DataError(f"{file} has no column {column!r}. {did_you_mean(column, names)}")
