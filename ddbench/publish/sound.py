"""The words that a set holds, and whether a picture is one and holds none. torch-free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ddbench.artifact.card import read_card
from ddbench.artifact.layout import CARD, TENSORS
from ddbench.errors import ArtifactError

SIGNATURE, END = b"\x89PNG\r\n\x1a\n", b"IEND"
LARGEST_PICTURE_BYTES = 50_000_000
WORDS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
"""Parts of a PNG that hold words; ours hold none."""


def words_of(where: Path) -> dict[str, Any]:
    """The words of a set that was checked: its card, and what its tensor file says of itself."""
    return {"card": read_card(where / CARD).model_dump(mode="json"), "tensors": _metadata(where / TENSORS)}


def _metadata(file: Path) -> dict[str, Any]:
    """The notes in a safetensors file."""
    with open(file, "rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        return json.loads(stream.read(size)).get("__metadata__") or {}


def sound_picture(file: Path) -> None:
    """Raises: ArtifactError where the file is no PNG, is a link, holds words, or is too large to be ours."""
    if file.is_symlink():
        raise ArtifactError(f"{file} is a link to another place.")
    try:
        if file.stat().st_size > LARGEST_PICTURE_BYTES:
            raise ArtifactError(f"{file} is larger than {LARGEST_PICTURE_BYTES:,} bytes.")
        data = file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}.") from error
    if not data.startswith(SIGNATURE):
        raise ArtifactError(f"{file} is not a PNG.")
    at, kind = len(SIGNATURE), b""
    while kind != END:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + size
        if at > len(data) or len(kind) < 4:
            raise ArtifactError(f"{file} was cut short.")
        if kind in WORDS:
            raise ArtifactError(f"{file} holds words ({kind.decode()}) that may tell where it was made.")
    if at != len(data):
        raise ArtifactError(f"{file} holds more than a picture.")
