"""A table as a file holds it: a header and rows of strings, each with the place where it stands. torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbench.datasets.delimited import DELIMITERS, delimited
from ddbench.datasets.text_rows import label_of
from ddbench.datasets.text_sets import some
from ddbench.errors import DataError


@dataclass(frozen=True)
class Sheet:
    """Cells are stripped strings, '' where nothing stands."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    places: tuple[str, ...]
    """Where each row stands, for messages: file and line."""

    def column(self, name: str) -> list[str]:
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def take(self, index: Iterable[int]) -> Sheet:
        index = list(index)
        rows = tuple(self.rows[i] for i in index)
        return Sheet(self.file, self.columns, rows, tuple(self.places[i] for i in index))

    def ordered(self, columns: Sequence[str]) -> Sheet:
        """The same with these columns in this order."""
        at = [self.columns.index(name) for name in columns]
        return Sheet(self.file, tuple(columns), tuple(tuple(row[i] for i in at) for row in self.rows), self.places)


def read_sheet(file: Path, encoding: str = "utf-8", all_named: bool = True) -> Sheet:
    """The table of a .csv, .tsv or .parquet file; with `all_named` every column has a name.

    Raises: DataError with all that is wrong, by line.
    """
    if file.suffix != ".parquet" and file.suffix not in DELIMITERS:
        raise DataError(f"{file} should be a .csv, .tsv or .parquet file.")
    try:
        sheet, faults = _parquet(file) if file.suffix == ".parquet" else _delimited(file, encoding)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    if twice := sorted({name for name in sheet.columns if sheet.columns.count(name) > 1}):
        faults.append(f"its header names twice {some(twice)}")
    if all_named and not all(sheet.columns):
        faults.append(f"its header has no name for column {1 + sheet.columns.index('')} of {len(sheet.columns)}")
    if not sheet.rows and not faults:
        faults.append("it has no rows below its header")
    if faults:
        raise DataError(f"{file} cannot be used as it is: {'; '.join(faults)}.")
    return sheet


def _delimited(file: Path, encoding: str) -> tuple[Sheet, list[str]]:
    rows, places, faults = [], [], []
    lines = delimited(file, encoding)
    _, header = next(lines, (0, []))
    for line, row in lines:
        if len(row) != len(header):
            faults.append(f"line {line} has {len(row)} fields, the header {len(header)}")
        else:
            rows.append(tuple(cell.strip() for cell in row))
            places.append(f"{file.name} line {line}")
    if not any(map(str.strip, header)) and not rows:
        raise DataError(f"{file} is empty. A header and rows are needed.")
    names = tuple(name.strip() for name in header)
    return Sheet(file.name, names, tuple(rows), tuple(places)), [some(faults)] if faults else []


def _parquet(file: Path) -> tuple[Sheet, list[str]]:
    from pyarrow import ArrowException, parquet, types

    try:
        table = parquet.read_table(file)
    except ArrowException as error:
        raise DataError(f"{file} cannot be read as Parquet: {' '.join(str(error).split()).rstrip('.')}.") from error
    nested = [field.name for field in table.schema if types.is_nested(field.type)]
    columns = [[label_of(value) for value in column.to_pylist()] for column in table.columns]
    places = tuple(f"{file.name} row {i}" for i in range(table.num_rows))
    sheet = Sheet(file.name, tuple(table.column_names), tuple(zip(*columns)), places)
    return sheet, [f"the cells of {some(nested)} hold lists or records, not values"] if nested else []
