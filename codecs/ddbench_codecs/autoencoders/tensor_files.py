"""Safetensors files seen from outside: their headers, whether they are whole, their digests. Nothing is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path

from ddbench.errors import DataError

ITEM_SIZE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4}
FLOATS = ("F64", "F32", "F16", "BF16")
HEADER_LIMIT_BYTES = 100_000_000


@dataclass(frozen=True)
class Entry:
    """A tensor as the header of its file describes it."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * ITEM_SIZE_BYTES.get(self.dtype, 0)


def header(file: Path) -> dict[str, Entry]:
    """The tensors of a file by name. Raises: DataError where it is cut short or is not a safetensors file."""
    return _header(*_state(file))


def sha256(file: Path) -> str:
    """The digest of a file, computed anew only where its size or time has changed."""
    return _sha256(*_state(file))


def _state(file: Path) -> tuple[str, int, int]:
    real = file.resolve()
    stat = real.stat()
    return str(real), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=256)
def _sha256(path: str, size: int, time_ns: int) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=256)
def _header(path: str, size: int, time_ns: int) -> dict[str, Entry]:
    again = "Delete it and fetch or copy it again."
    with Path(path).open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= HEADER_LIMIT_BYTES:
            raise DataError(f"{path} is not a safetensors file: it begins with no header. {again}")
        text = stream.read(length)
    if len(text) < length:
        raise DataError(f"{path} is cut short within its header, at {size} bytes. {again}")
    try:
        raw = {name: entry for name, entry in json.loads(text).items() if name != "__metadata__"}
        found = {name: Entry(entry["dtype"], tuple(entry["shape"])) for name, entry in raw.items()}
        data_bytes = max((entry["data_offsets"][1] for entry in raw.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a safetensors file: its header cannot be read. {again}") from error
    if size != 8 + length + data_bytes:
        raise DataError(
            f"{path} should have {8 + length + data_bytes} bytes by its header; found {size}: it was fetched in part, "
            f"or damaged. {again}"
        )
    return found
