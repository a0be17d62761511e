"""The content cache: tensors named by the digest of what determines them. A damaged entry is computed anew."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ddbench.canonical import digest
from ddbench.errors import RunError
from ddbench.files import write_atomic

_DIGEST_BYTES = 32


def cache_root() -> Path:
    """DDBENCH_CACHE, else `~/.cache/ddbench`."""
    return Path(os.environ.get("DDBENCH_CACHE") or Path.home() / ".cache" / "ddbench")


def entry_path(kind: str, coordinates: dict[str, Any]) -> Path:
    """Where the entry with these coordinates (JSON values) lies, or would lie."""
    return cache_root() / kind / f"{digest(coordinates)}.safetensors"


def cached(kind: str, coordinates: dict[str, Any], compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors that `compute` gives for these coordinates (JSON values), from disk where they are there.

    A cache that cannot be written is no reason to fail: the tensors are then computed each time.
    """
    path = entry_path(kind, coordinates)
    found = read_entry(path)
    return write_entry(path, compute()) if found is None else found


def read_entry(path: Path) -> dict[str, Tensor] | None:
    """The tensors of an entry; None where it is missing, damaged or half written."""
    try:
        return _unsealed(path.read_bytes())
    except (OSError, SafetensorError, ValueError, KeyError):
        return None


def write_entry(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stores an entry if it can; gives the tensors as they would be read back."""
    # cloned, since safetensors refuses tensors that share memory
    tensors = {n: t.detach().cpu().clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        body = save(tensors)
        write_atomic(path, hashlib.sha256(body).digest() + body)
    except (OSError, RunError):
        pass
    return tensors


def _unsealed(data: bytes) -> dict[str, Tensor]:
    """The tensors of an entry, a digest before its safetensors. Raises: ValueError where they do not agree."""
    body = data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != data[:_DIGEST_BYTES]:
        raise ValueError("the entry was changed or damaged")
    return load(body)
