"""Whether a set is the one that its result names, and whether a picture is one. torch-free at import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ddbench.errors import ArtifactError
from ddbench.result.schema import Result

SIGNATURE, END = b"\x89PNG\r\n\x1a\n", b"IEND"
LARGEST_PICTURE_BYTES = 50_000_000
WORDS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
"""Parts of a PNG that hold words; ours hold none."""


def sound_set(where: Path, result: Result) -> dict[str, Any]:
    """The words of a result's set: its card, and what its tensor file says of itself.

    Raises: ArtifactError where the set is missing or damaged, or has not the digest and the bytes that the result says.
    """
    from ddbench.artifact.distilled import CARD, TENSORS, load

    assert result.artifact is not None
    for name in (CARD, TENSORS):
        if (where / name).is_symlink():
            raise ArtifactError(f"{where / name} is a link to another place. Publish the folder that it leads to.")
    stored = load(where)
    if stored.card.sha256 != result.artifact.sha256:
        raise ArtifactError(f"{where / TENSORS} is not the set that the result names (its digest).")
    if result.bytes is not None and stored.used_bytes != result.bytes.used:
        found, said = stored.used_bytes, result.bytes.used
        raise ArtifactError(f"{where / TENSORS} holds {found} bytes; the result says {said}.")
    return {"card": stored.card.model_dump(mode="json"), "tensors": _metadata(where / TENSORS)}


def _metadata(file: Path) -> dict[str, Any]:
    """The notes in a safetensors file, which has just been read as one."""
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
