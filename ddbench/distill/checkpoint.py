"""A checkpoint: the loop's progress in one sealed file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ddbench.distill.loop import Progress
from ddbench.sealed import not_a_checkpoint, read_sealed, write_sealed

GROUPS = ("params", "momentum", "state", "average")
"""The progress' dictionaries of tensors."""


def write_checkpoint(path: Path, progress: Progress, key: str, seconds: float) -> None:
    """Stores the progress of the cell `key` and the seconds spent on it so far. Raises: RunError where it cannot."""
    groups = {name: getattr(progress, name) for name in GROUPS}
    tensors = {f"{group}/{n}": t for group, part in groups.items() for n, t in part.items()}
    note = {"step": progress.step, "skipped": progress.skipped, "losses": progress.losses, "seconds": seconds}
    write_sealed(path, key, tensors, note)


def read_checkpoint(path: Path, key: str) -> tuple[Progress, float] | None:
    """(progress, seconds) of the cell `key`; None where there is no checkpoint.

    Raises: ArtifactError where the file is damaged or of another cell.
    """
    found = read_sealed(path, key)
    if found is None:
        return None
    tensors, note = found
    try:
        step, skipped, seconds = int(note["step"]), int(note.get("skipped", 0)), float(note["seconds"])
        losses = [(int(s), float(x)) for s, x in note["losses"]]
        groups: dict[str, dict[str, Tensor]] = {name: {} for name in GROUPS}
        for name, tensor in tensors.items():
            group, _, leaf = name.partition("/")
            groups[group][leaf] = tensor
    except (ValueError, KeyError, TypeError) as error:
        raise not_a_checkpoint(path, error) from error
    return Progress(step, losses=losses, skipped=skipped, **groups), seconds
