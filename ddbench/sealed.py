"""A sealed file: tensors and a note of one owner in one safetensors file with a digest, replaced atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ddbench.errors import ArtifactError
from ddbench.files import write_atomic

_DIGEST_BYTES = 32


def write_sealed(path: Path, key: str, tensors: Mapping[str, Tensor], note: Mapping[str, Any]) -> None:
    """Stores tensors and a note (JSON values) of the owner `key`. Raises: RunError where it cannot."""
    write_atomic(path, seal(storable(tensors), {**note, "key": key}))


def read_sealed(path: Path, key: str, of: str = "cell") -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """(tensors, note) of the owner `key`, which is a cell or what `of` calls it; None where there is no file.

    Raises: ArtifactError where the file is damaged or of another owner.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    try:
        body = unsealed(data)
    except ValueError as error:
        raise ArtifactError(f"The checkpoint {path} is damaged.") from error
    try:
        tensors, note = load(body), note_of(body)
        owner = str(note["key"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise not_a_checkpoint(path, error) from error
    if owner != key:
        raise ArtifactError(f"The checkpoint {path} belongs to another {of} ({owner[:12]}).")
    return tensors, note


def not_a_checkpoint(path: Path, error: Exception) -> ArtifactError:
    """What to raise where a whole file does not hold what a checkpoint holds."""
    return ArtifactError(f"{path} is not a checkpoint: {type(error).__name__}: {error}.")


def storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU, detached; copied since safetensors refuses tensors that share memory."""
    return {n: t.detach().cpu().clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}


def seal(tensors: dict[str, Tensor], note: Mapping[str, Any]) -> bytes:
    """A digest, then the safetensors file that it is of; the note (JSON values) stands in that file's metadata."""
    body = save(tensors, metadata={"note": json.dumps(note)})
    return hashlib.sha256(body).digest() + body


def unsealed(data: bytes) -> bytes:
    """The safetensors file under a seal. Raises: ValueError where it is not what the digest was made of."""
    body = data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != data[:_DIGEST_BYTES]:
        raise ValueError("it was cut short, changed or damaged")
    return body


def note_of(body: bytes) -> dict[str, Any]:
    """The note of a safetensors file. Raises: ValueError, KeyError or TypeError where it has none."""
    size = int.from_bytes(body[:8], "little")
    return json.loads(json.loads(body[8 : 8 + size])["__metadata__"]["note"])
