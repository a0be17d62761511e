"""CSV and TSV files as rows of strings with the lines where they end. torch-free."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ddbench.errors import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LONGEST_FIELD = 2**24
"""Characters of a field; the csv module's own limit would end at 131,072."""


def delimited(file: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the header, if there is one, and of every row; blank lines are left out.

    Raises: DataError naming the line of a byte that is not of the encoding, or for quotation marks that do not end.
    """
    raw = file.read_bytes()
    try:
        whole = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file} is not {encoding}: its line {line} holds the byte 0x{raw[error.start]:02x} where none may stand. "
            "Name the file's encoding with the argument 'encoding'."
        ) from error
    before = csv.field_size_limit(LONGEST_FIELD)
    try:
        reader = csv.reader(whole.splitlines(keepends=True), delimiter=DELIMITERS[file.suffix], strict=True)
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{file} is no table: {error}. Check its quotation marks and its delimiter.") from error
    finally:
        csv.field_size_limit(before)
