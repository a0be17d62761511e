"""The results of a folder, each with the place where it lies; what is unsound is named and left out. torch-free."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ddbench.errors import ArtifactError
from ddbench.leaderboard.workers import spread
from ddbench.report.table import RESULT
from ddbench.result.io import read_result
from ddbench.result.schema import Result
from ddbench.spec.cell import Cell

MAX_RESULT_BYTES = 16_000_000
"""Many times what a result with fifty students on 50,000 test images takes."""


CHUNK = 250
"""Results that a worker reads at a time."""


@dataclass(frozen=True)
class Entry:
    """A result, and its folder below the folder of results (with `/`, whatever the machine)."""

    result: Result
    at: str
    unseeded: str
    """`Cell.unseeded` of its cell, which the results of a row have in common."""


@dataclass(frozen=True)
class Found:
    """What a folder holds."""

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]
    """Files that are no sound results: (place below the folder, why in a sentence)."""


def find(folder: Path, workers: int = 1) -> Found:
    """Every result below a folder, in the order of their places. Links are not followed: a submission may hold any.

    Raises: ArtifactError where there is no folder, or no file in it that could be a result.
    """
    if not folder.is_dir():
        raise ArtifactError(f"There is no folder {folder}. Give the one that holds the results of the leaderboard.")
    paths = list(_files(folder))
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    entries: list[Entry] = []
    left_out: list[tuple[str, str]] = []
    first: dict[tuple[str, str], str] = {}
    for path, (result, said) in zip(paths, chain.from_iterable(spread(_read_all, chunks, workers))):
        at = path.parent.relative_to(folder).as_posix()
        place = f"{at}/{RESULT}" if at != "." else RESULT
        if result is None:
            left_out.append((place, said))
            continue
        twin = first.setdefault((result.key, result.run_id), place)
        if twin != place:
            left_out.append((place, f"{path} is the same run of the same cell as {folder / twin}. Keep one of them."))
            continue
        entries.append(Entry(result, at, said))
    if not entries and not left_out:
        raise ArtifactError(f"{folder} holds no {RESULT}. A leaderboard is built of at least one result.")
    return Found(tuple(entries), tuple(left_out))


def _files(folder: Path) -> Iterator[Path]:
    for here, inner, files in os.walk(folder):
        inner.sort()
        if RESULT in files:
            yield Path(here, RESULT)


def _read_all(paths: Sequence[Path]) -> list[tuple[Result | None, str]]:
    """Each result with `Cell.unseeded` of its cell; None, and why in a sentence, where a file is no sound result."""
    found: list[tuple[Result | None, str]] = []
    cells: dict[str, Cell] = {}
    for path in paths:
        try:
            result = _read(path)
        except ArtifactError as error:
            found.append((None, str(error)))
            continue
        cell, unseeded = result.cell, result.cell.unseeded
        # What the cells of a row have in common is there once: half as much to send from one process to another.
        if (first := cells.setdefault(unseeded, cell)) is not cell:
            own = {"seed": cell.seed, "recipe": cell.recipe, "origin": cell.origin}
            cell = first.model_copy(update=own)
        # Of the losses a page needs to know only whether there are any; all of them are most of a result's memory.
        found.append((result.model_copy(update={"cell": cell, "losses": result.losses[:1]}), unseeded))
    return found


def _read(path: Path) -> Result:
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            raise ArtifactError(f"{path} is a link. Put the file itself there.")
        if found.st_size > MAX_RESULT_BYTES:
            raise ArtifactError(f"{path} has {found.st_size:,} bytes; a result has at most {MAX_RESULT_BYTES:,}.")
        return read_result(path)
    except ArtifactError:
        raise
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError, OverflowError) as error:  # what no rule foresaw is still no result
        raise ArtifactError(f"{path} is not a valid result: {type(error).__name__}: {error}.") from error
