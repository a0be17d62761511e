"""An IDX file: a four-byte magic number, big-endian dimensions, then one byte a value; gzipped or not. torch-free.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "file formats".
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ddbench.errors import DataError

UINT8_TYPE = 0x08


@dataclass(frozen=True)
class IdxFile:
    """One published file: its name without `.gz`, what it holds, and the digest of its uncompressed bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header_bytes(self) -> int:
        return 4 + 4 * len(self.shape)

    def find(self, folder: Path) -> Path | None:
        """The file in `folder`, uncompressed before gzipped; None where it has neither."""
        for path in (folder / self.name, folder / f"{self.name}.gz"):
            if os.path.isfile(path):  # unlike Path.is_file, no error where the folder may not be entered
                return path
        return None

    def read(self, path: Path) -> bytearray:
        """The payload, prod(shape) bytes in row-major order.

        Raises: DataError naming the file, what was expected and what was found.
        """
        content = uncompressed(path)
        check_layout(content, self.shape, path)
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(
                f"{path} has the layout of {self.name} but is not the published file: its uncompressed SHA-256 should "
                f"be {self.sha256}; found {found}. Replace it by the published file."
            )
        return bytearray(memoryview(content)[self.header_bytes :])


def uncompressed(path: Path) -> bytes:
    """The bytes of a file, decompressed where its name ends in `.gz`. Raises: DataError where it cannot be read."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} should be a whole gzip file; found {path.stat().st_size} bytes that end early or are damaged "
            f"({error}). Fetch it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Check its permissions.") from error


def check_layout(content: bytes, shape: tuple[int, ...], path: Path) -> None:
    """Magic number, dimensions and size of an IDX file of bytes. Raises: DataError at the first that is wrong."""
    magic = bytes((0, 0, UINT8_TYPE, len(shape)))
    if content[:4] != magic:
        raise DataError(
            f"{path} should be an IDX file of {len(shape)}-dimensional bytes (first bytes {magic.hex()}); found "
            f"{content[:4].hex() or 'an empty file'}. It is another kind of file: replace it by the published one."
        )
    header = 4 + 4 * len(shape)
    if len(content) < header:
        raise DataError(
            f"{path} should begin with {header} bytes of header; found {len(content)} in all. Fetch it again."
        )
    found = struct.unpack(f">{len(shape)}I", content[4:header])
    if found != shape:
        raise DataError(
            f"{path} should hold an array of shape {shape}; its header says {found}. Replace it by the published file."
        )
    if len(content) != header + prod(shape):
        raise DataError(
            f"{path} should have {header + prod(shape)} uncompressed bytes; found {len(content)}. "
            f"It was {'cut short' if len(content) < header + prod(shape) else 'added to'}: fetch it again."
        )
