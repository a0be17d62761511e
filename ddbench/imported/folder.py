"""The folder in which sets are evaluated: a run folder whose cells get their sets from outside before they run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from ddbench import artifact
from ddbench.artifact.distilled import CARD, TENSORS
from ddbench.errors import ArtifactError, RunError
from ddbench.files import write_atomic
from ddbench.imported.cells import Ready
from ddbench.run.folder import INDEX, RunFolder
from ddbench.spec.cell import Cell

NAME = "evaluated_sets"
_TEXT = "# The cells of this folder are sets that `ddbench evaluate` was given; no suite made them.\n"


def folder_for(out: Path, ready: Sequence[Ready]) -> RunFolder:
    """The run folder at `out`, with these cells beside those that it has, each with its set.

    Raises: RunError where `out` is another suite's, or cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".evaluate.lock")
        with lock, tempfile.TemporaryDirectory() as scratch:
            text = Path(scratch) / "suite.yaml"
            text.write_text(_TEXT, encoding="utf-8")
            cells = {c.key: c for c in (*_present(out), *(one.cell for one in ready))}
            runs = RunFolder.create(out, NAME, text, list(cells.values()))
    except OSError as error:
        raise RunError(f"Cannot create {out}: {error.strerror or error}. Name another with --out.") from error
    for one in ready:
        place(runs, one)
    return runs


def _present(out: Path) -> list[Cell]:
    """The cells that the folder has already; damaged ones are left out, and written anew when they are given again."""
    if not (out / INDEX).is_file():
        return []
    found = []
    runs = RunFolder(out)
    for key in runs.keys() if runs.suite_name == NAME else ():
        try:
            found.append(runs.cell(key))
        except ArtifactError:
            continue
    return found


def place(runs: RunFolder, one: Ready) -> None:
    """Puts a cell's set and what is known of it into its folder, unless another process is at the cell."""
    where = runs.cell_dir(one.cell.key)
    with runs.claim(one.cell.key) as mine:
        if not mine or (where / "result.json").exists():
            return
        if not _holds(where, one):
            for old in ("students.json", "student.safetensors", "record.json"):
                (where / old).unlink(missing_ok=True)
            if one.files is None:
                artifact.save(where, one.card, one.codes)
            else:
                (where / CARD).unlink(missing_ok=True)
                write_atomic(where / TENSORS, one.files[0])
                write_atomic(where / CARD, one.files[1])
        if not (where / "record.json").exists():
            known = {"phases": [], "losses": one.losses, "notes": one.notes}
            write_atomic(where / "record.json", json.dumps(known))


def _holds(where: Path, one: Ready) -> bool:
    """Whether the cell's folder has the set, sound."""
    try:
        card = artifact.load(where).card
    except ArtifactError:
        return False
    blank = {"sha256": ""}
    return card.model_copy(update=blank) == one.card.model_copy(update=blank)
