"""A checkpoint: the loop's progress in one safetensors file with a digest, replaced atomically."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ddbench.distill.loop import Progress
from ddbench.errors import ArtifactError
from ddbench.files import write_atomic

_DIGEST_BYTES = 32


def write_checkpoint(path: Path, progress: Progress, key: str, seconds: float) -> None:
    """Stores the progress of the cell `key` and the seconds spent on it so far. Raises: RunError where it cannot."""
    groups = {"params": progress.params, "momentum": progress.momentum, "state": progress.state}
    # cloned, since a matcher's state may share memory with the items, which safetensors refuses
    tensors = {
        f"{group}/{n}": t.detach().cpu().clone(memory_format=torch.contiguous_format)
        for group, part in groups.items()
        for n, t in part.items()
    }
    note = {"key": key, "step": progress.step, "losses": progress.losses, "seconds": seconds}
    body = save(tensors, metadata={"note": json.dumps(note)})
    write_atomic(path, hashlib.sha256(body).digest() + body)


def read_checkpoint(path: Path, key: str) -> tuple[Progress, float] | None:
    """(progress, seconds) of the cell `key`; None where there is no checkpoint.

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
        owner, step, seconds = str(note["key"]), int(note["step"]), float(note["seconds"])
        losses = [(int(s), float(x)) for s, x in note["losses"]]
        groups: dict[str, dict[str, Tensor]] = {"params": {}, "momentum": {}, "state": {}}
        for name, tensor in tensors.items():
            group, _, leaf = name.partition("/")
            groups[group][leaf] = tensor
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is not a checkpoint: {type(error).__name__}: {error}.") from error
    if owner != key:
        raise ArtifactError(f"The checkpoint {path} belongs to another cell ({owner[:12]}).")
    return Progress(step, losses=losses, **groups), seconds


def _metadata(body: bytes) -> dict[str, str]:
    size = int.from_bytes(body[:8], "little")
    return json.loads(body[8 : 8 + size])["__metadata__"]
