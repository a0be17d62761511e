"""The content cache: tensors named by the digest of what determines them. A damaged entry is computed anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ddbench.canonical import digest
from ddbench.errors import RunError
from ddbench.files import write_atomic
from ddbench.sealed import note_of, seal, storable, unsealed
from ddbench.touched import Listener as Listener
from ddbench.touched import Touched as Touched
from ddbench.touched import cache_root as cache_root
from ddbench.touched import listening as listening
from ddbench.touched import touch as touch


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
    """The tensors of an entry; None where it is missing, damaged, half written, or another's under this name."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return _unsound(path, f"it cannot be read ({error.strerror})")
    try:
        body = unsealed(data)
        owner = str(note_of(body)["key"])
        tensors = load(body)
    except (SafetensorError, ValueError) as error:
        return _unsound(path, str(error))
    except (KeyError, TypeError):
        return _unsound(path, "it does not say what it was computed for")
    if owner != path.stem:
        return _unsound(path, f"it is the entry {owner[:12]} under another's name")
    touch(Touched("found", path, len(data)))
    return tensors


def write_entry(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stores an entry if it can; gives the tensors as they would be read back."""
    tensors = storable(tensors)
    data = seal(tensors, {"key": path.stem})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except (OSError, RunError) as error:
        touch(Touched("unkept", path, len(data), str(error)))
    else:
        touch(Touched("made", path, len(data)))
    return tensors


def _unsound(path: Path, why: str) -> None:
    touch(Touched("unsound", path, why=why))
