"""Trees of picture files with one folder a class: scanned, not read. torch-free."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ddbench.canonical import digest
from ddbench.datasets.picture_sets import Side
from ddbench.datasets.pictures import SUFFIXES
from ddbench.errors import ArtifactError, DataError, RunError
from ddbench.files import read_json, write_atomic
from ddbench.touched import cache_root


@lru_cache(maxsize=4096)
def files_in(folder: Path) -> tuple[tuple[str, int], ...]:
    """(way below the folder, bytes) of its picture files, in sub-folders too, sorted; hidden ones are passed over.

    Kept in memory: a process sees a folder as it was when it first looked. Raises: DataError where it cannot be read.
    """
    found: list[tuple[str, int]] = []
    pending = [(folder, "")]
    while pending:
        present, way = pending.pop()
        try:
            with os.scandir(present) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        pending.append((Path(entry.path), f"{way}{entry.name}/"))
                    elif entry.name.lower().endswith(SUFFIXES):
                        found.append((f"{way}{entry.name}", entry.stat().st_size))
        except OSError as error:
            raise DataError(f"{present} cannot be read: {error.strerror or error}.") from error
    return tuple(sorted(found))


def side(root: Path, classes: Sequence[str]) -> Side:
    """The pictures of the class folders below `root`; folder k has label k. They are known by name and size."""
    listed = [(name, file, size, k) for k, name in enumerate(classes) for file, size in files_in(root / name)]
    return Side(
        files=tuple(root / name / file for name, file, _, _ in listed),
        labels=tuple(k for *_, k in listed),
        known_by=tuple(f"{name}/{file} {size}" for name, file, size, _ in listed),
    ).sorted()


def class_folders(root: Path) -> list[str]:
    """The names of the folders in `root`, sorted; hidden ones are passed over. Raises: DataError where it is none."""
    try:
        return sorted(e.name for e in os.scandir(root) if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise DataError(f"The folder {root} cannot be read: {error.strerror or error}.") from error


def contents(files: Sequence[Path]) -> list[str]:
    """The SHA-256 of each file; kept in the cache under the files' paths, sizes and times, so that it is done once.

    Raises: DataError for a file that cannot be read.
    """

    def sha256(path: Path) -> str:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    try:
        stats = [[str(p), s.st_size, s.st_mtime_ns] for p in files for s in [p.stat()]]
        kept = cache_root() / "images" / f"contents-{digest(stats)[:16]}.json"
        with suppress(ArtifactError):
            found = read_json(kept)
            if isinstance(found, list) and len(found) == len(files):
                return found
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(sha256, files))
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror or error}.") from error
    with suppress(OSError, RunError):  # a cache that cannot be written is no reason to fail
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, json.dumps(found))
    return found
