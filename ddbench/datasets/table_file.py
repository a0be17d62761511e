"""Any table with a column of labels: a CSV, TSV or Parquet file of numbers and categories."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from ddbench.datasets.locations import data_root
from ddbench.datasets.sheets import read_sheet
from ddbench.datasets.table_sets import Options, TableSet, table_set
from ddbench.datasets.text_file import below_data_folder, known_encoding, stamp
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf

NO_VALUE = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?")


class TableFileConfig(PluginConfig):
    file: str = Field("table.csv", description="The file below the data folder: .csv, .tsv or .parquet, with a header.")
    test_file: str = Field("", description="Another file to score on; '': see split.")
    label: str = Field("label", description="The column of classes.")
    split: str = Field("", description="A column of train and test; '': a fifth of each class for test, by content.")
    categorical: tuple[str, ...] = Field((), description="Columns of categories that are written as numbers.")
    ignore: tuple[str, ...] = Field((), description="Columns that are not learned from, such as names of rows.")
    missing: tuple[str, ...] = Field(NO_VALUE, description="Cells that mean: no value.")
    unknown: Literal["error", "zeros"] = Field(
        "error",
        description="Categories of test rows that no training row has: an error, or zeros in all one-hot columns.",
    )
    encoding: str = Field("utf-8", description="Of CSV and TSV files.")
    augmentation: str = Field("jitter", description="Operations of the augmentation, joined by _; '' for none.")
    family: str = Field(
        "", description="Dataset of which this table is a copy or a part: decoders trained on it are paid for."
    )

    _below = field_validator("file")(below_data_folder)
    _known = field_validator("encoding")(known_encoding)

    @field_validator("test_file")
    @classmethod
    def _below_too(cls, name: str) -> str:
        return below_data_folder(name) if name else ""


class TableFile(Dataset):
    """Rows of a CSV, TSV or Parquet file: numbers as they are, categories one-hot, missing values marked."""

    version = "1"
    source = "RFC 4180 (CSV); Apache Parquet"
    Config = TableFileConfig
    config: TableFileConfig

    def table(self) -> TableSet:
        """Raises: DataError naming file and row of what is wrong."""
        files = tuple(data_root() / name for name in (self.config.file, self.config.test_file) if name)
        return _table(self.config.model_dump_json(), files, tuple(stamp(file) for file in files))

    def card(self) -> DatasetCard:
        return self.table().card("the user's to say", self.config.augmentation, self.config.family)

    def load(self) -> tuple[Split, Split]:
        return self.table().load()

    def display(self) -> DisplayOf:
        return self.table().display()


@lru_cache(maxsize=4)
def _table(written: str, files: tuple[Path, ...], stamps: tuple[tuple[int, int], ...]) -> TableSet:
    config = TableFileConfig.model_validate_json(written)
    sheet, *test = (read_sheet(file, config.encoding) for file in files)
    options = Options(
        config.label,
        "" if test else config.split,
        config.categorical,
        config.ignore,
        ("", *config.missing),
        config.unknown,
    )
    return table_set(Path(config.file).with_suffix("").as_posix(), sheet, test[0] if test else None, options)
