"""A checkpoint: the loop's progress in one sealed file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ddbench.distill.loop import Progress
from ddbench.sealed import not_a_checkpoint, read_sealed, write_sealed


def write_checkpoint(path: Path, progress: Progress, key: str, seconds: float) -> None:
    """Stores the progress of the cell `key` and the seconds spent on it so far. Raises: RunError where it cannot."""
    groups = {"params": progress.params, "momentum": progress.momentum, "state": progress.state}
    tensors = {f"{group}/{n}": t for group, part in groups.items() for n, t in part.items()}
    write_sealed(path, key, tensors, {"step": progress.step, "losses": progress.losses, "seconds": seconds})


def read_checkpoint(path: Path, key: str) -> tuple[Progress, float] | None:
    """(progress, seconds) of the cell `key`; None where there is no checkpoint.

    Raises: ArtifactError where the file is damaged or of another cell.
    """
    found = read_sealed(path, key)
    if found is None:
        return None
    tensors, note = found
    try:
        step, seconds = int(note["step"]), float(note["seconds"])
        losses = [(int(s), float(x)) for s, x in note["losses"]]
        groups: dict[str, dict[str, Tensor]] = {"params": {}, "momentum": {}, "state": {}}
        for name, tensor in tensors.items():
            group, _, leaf = name.partition("/")
            groups[group][leaf] = tensor
    except (ValueError, KeyError, TypeError) as error:
        raise not_a_checkpoint(path, error) from error
    return Progress(step, losses=losses, **groups), seconds
