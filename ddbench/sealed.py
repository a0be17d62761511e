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
    """Stores tensors and a note (JSON values) of the cell `key`. Raises: RunError where it cannot."""
    # cloned, since tensors that share memory are refused by safetensors
    copies = {n: t.detach().cpu().clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}
    body = save(copies, metadata={"note": json.dumps({**note, "key": key})})
    write_atomic(path, hashlib.sha256(body).digest() + body)


def read_sealed(path: Path, key: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """(tensors, note) of the cell `key`; None where there is no file.

    Raises: ArtifactError where the file is damaged or of another cell.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    body = data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != data[:_DIGEST_BYTES]:
        raise ArtifactError(f"The checkpoint {path} is damaged.")
    try:
        tensors = load(body)
        note = json.loads(_metadata(body)["note"])
        owner = str(note["key"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise not_a_checkpoint(path, error) from error
    if owner != key:
        raise ArtifactError(f"The checkpoint {path} belongs to another cell ({owner[:12]}).")
    return tensors, note


def not_a_checkpoint(path: Path, error: Exception) -> ArtifactError:
    """What to raise where a whole file does not hold what a checkpoint holds."""
    return ArtifactError(f"{path} is not a checkpoint: {type(error).__name__}: {error}.")


def _metadata(body: bytes) -> dict[str, str]:
    size = int.from_bytes(body[:8], "little")
    return json.loads(body[8 : 8 + size])["__metadata__"]
