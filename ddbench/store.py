"""The content cache: tensors named by the digest of what determines them. A damaged entry is computed anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ddbench.canonical import digest
from ddbench.errors import RunError
from ddbench.files import write_atomic


def cache_root() -> Path:
    """DDBENCH_CACHE, else `~/.cache/ddbench`."""
    return Path(os.environ.get("DDBENCH_CACHE") or Path.home() / ".cache" / "ddbench")


def cached(kind: str, coordinates: dict[str, Any], compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors that `compute` gives for these coordinates (JSON values), from disk where they are there.

    A cache that cannot be written is no reason to fail: the tensors are then computed each time.
    """
    path = cache_root() / kind / f"{digest(coordinates)}.safetensors"
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError, ValueError):
        tensors = {n: t.detach().cpu().contiguous() for n, t in compute().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, save(tensors))
    except (OSError, RunError):
        pass
    return tensors
