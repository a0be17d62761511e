"""The folder of an export: whole or not there, and never in the place of something that is not an export."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ddbench.errors import RunError

README = "README.md"
MARK = "<!-- Written by `ddbench export`. -->"


def check_room(out: Path, overwrite: bool) -> None:
    """Raises: RunError where something stands in the way."""
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file, not a folder. Name another with --out.")
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise RunError(f"{out} is not empty. Name another folder with --out, or give --overwrite to replace an export.")
    if not _is_export(out):
        raise RunError(f"{out} is not empty and no export of ddbench, so it is not replaced. Name another with --out.")


@contextmanager
def new_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """A folder to fill, which takes the place of `out` in one step once it is filled, and is dropped where that fails.

    Raises: RunError as `check_room`, and where the disk refuses.
    """
    check_room(out, overwrite)
    place = Path(os.path.realpath(out))
    filled, old = (place.with_name(f".{place.name}.{uuid4().hex[:8]}.{end}") for end in ("tmp", "old"))
    try:
        filled.mkdir(parents=True)
        yield filled
        check_room(out, overwrite)
        if place.exists():
            os.replace(place, old)
        try:
            os.replace(filled, place)
        except OSError:
            if old.exists():
                os.replace(old, place)
            raise
    except OSError as error:
        raise RunError(f"{out} could not be written: {error.strerror or error}. Name another with --out.") from error
    finally:
        for scrap in (filled, old):
            shutil.rmtree(scrap, ignore_errors=True)


def _is_export(folder: Path) -> bool:
    try:
        return MARK in (folder / README).read_text(encoding="utf-8", errors="replace")[:4000]
    except OSError:
        return False
