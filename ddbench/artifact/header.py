"""The header of a safetensors file, read by hand: what each tensor is and where it lies. torch-free.

8 bytes of length (little endian), as many of JSON, then the tensors' bytes. Nothing of it is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ddbench.errors import ArtifactError
from ddbench.files import parse_json
from ddbench.leaf import ITEM_SIZE_BYTES

MAX_HEADER_BYTES = 16 * 2**20
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Stored:
    """A tensor of a file: its type, its shape, and where its bytes begin in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def n_bytes(self) -> int:
        return prod(self.shape) * ITEM_SIZE_BYTES[self.dtype]


def read_header(path: Path, size: int) -> dict[str, Stored]:
    """The tensors of a file of `size` bytes, by name.

    Raises: ArtifactError where it is not a safetensors file, or its tensors overlap, leave gaps or pass its end.
    """
    not_one = f"{path} is not a safetensors file"
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if size < _LENGTH_BYTES or length > min(size - _LENGTH_BYTES, MAX_HEADER_BYTES):
                raise ArtifactError(f"{not_one}: it says that its header has {length} bytes, the file has {size}.")
            text = file.read(length)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not text.startswith(b"{"):
        raise ArtifactError(f"{not_one}: its header is not a JSON object.")
    try:
        header = parse_json(text.decode(), f"The header of {path}")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{not_one}: its header is not UTF-8.") from error
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ArtifactError(f"{not_one}: its __metadata__ is not a mapping to texts.")
    base = _LENGTH_BYTES + length
    found = {name: _entry(f"{not_one}: {name[:80]!r}", entry, base) for name, entry in header.items()}
    _check_cover(not_one, found, base, size)
    return found


def _entry(where: str, entry: Any, base: int) -> Stored:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ArtifactError(f"{where} is not described by dtype, shape and data_offsets.")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ArtifactError(f"{where} has type {str(dtype)[:20]!r}; known are {', '.join(DTYPES)}.")
    if not _counts(shape) or not _counts(span) or len(span) != 2:
        raise ArtifactError(f"{where} has a shape or offsets that are no counts.")
    stored = Stored(DTYPES[dtype], tuple(shape), base + span[0])
    if span[1] - span[0] != stored.n_bytes:
        raise ArtifactError(f"{where} has {span[1] - span[0]} bytes, its shape and type make {stored.n_bytes}.")
    return stored


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values)


def _check_cover(not_one: str, found: dict[str, Stored], base: int, size: int) -> None:
    """Bytes that no tensor claims would be stored and not counted; bytes of two would be counted twice."""
    at = base
    for name, stored in sorted(found.items(), key=lambda item: (item[1].start, item[1].n_bytes)):
        if stored.start != at:
            raise ArtifactError(f"{not_one}: its tensors overlap or leave a gap before {name[:80]!r}.")
        at += stored.n_bytes
    if at != size:
        raise ArtifactError(f"{not_one}: its tensors end at byte {at}, the file has {size}.")
