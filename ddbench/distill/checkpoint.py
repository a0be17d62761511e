"""A checkpoint: the loop's progress in one safetensors file with a digest, replaced atomically."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

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
    tensors = {f"{group}/{n}": t.detach().cpu().contiguous() for group, part in groups.items() for n, t in part.items()}
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
    body = data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != data[:_DIGEST_BYTES]:
        raise ArtifactError(f"The checkpoint {path} is damaged.")
    try:
        tensors = load(body)
    except (SafetensorError, ValueError) as error:
        raise ArtifactError(f"The checkpoint {path} cannot be read: {error}.") from error
    note = json.loads(_metadata(body)["note"])
    if note["key"] != key:
        raise ArtifactError(f"The checkpoint {path} belongs to another cell ({note['key'][:12]}).")
    groups: dict[str, dict[str, Tensor]] = {"params": {}, "momentum": {}, "state": {}}
    for name, tensor in tensors.items():
        group, _, leaf = name.partition("/")
        groups[group][leaf] = tensor
    losses = [(int(s), float(x)) for s, x in note["losses"]]
    return Progress(note["step"], losses=losses, **groups), float(note["seconds"])


def _metadata(body: bytes) -> dict[str, str]:
    size = int.from_bytes(body[:8], "little")
    return json.loads(body[8 : 8 + size])["__metadata__"]
