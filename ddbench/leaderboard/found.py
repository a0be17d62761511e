"""The results of a folder, each with the place where it lies; what is unsound is named and left out. torch-free."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ddbench.errors import ArtifactError
from ddbench.leaderboard.workers import spread
from ddbench.report.table import RESULT
from ddbench.result.io import read_named
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


def find(folder: Path, workers: int = 1, warm_up: Callable[[], object] = lambda: None) -> Found:
    """Every result below a folder, in the order of their places. Links are not followed: a submission may hold any.

    `workers` and `warm_up` are those of `spread`.

    Raises: ArtifactError where there is no folder, or no file in it that could be a result.
    """
    if not folder.is_dir():
        raise ArtifactError(f"There is no folder {folder}. Give the one that holds the results of the leaderboard.")
    places = list(_places(folder))
    paths = [os.path.join(folder, place) for place in places]
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    entries: list[Entry] = []
    left_out: list[tuple[str, str]] = []
    first: dict[tuple[str, str], str] = {}
    answers = chain.from_iterable(spread(_read_all, chunks, workers, warm_up))
    for place, (result, said) in zip(places, answers, strict=True):
        if result is None:
            left_out.append((place, said))
            continue
        twin = first.setdefault((result.key, result.run_id), place)
        if twin != place:
            twins = f"{folder / place} is the same run of the same cell as {folder / twin}"
            left_out.append((place, f"{twins}. Keep one of them."))
            continue
        entries.append(Entry(result, place[: -len(RESULT) - 1] or ".", said))
    if not entries and not left_out:
        raise ArtifactError(f"{folder} holds no {RESULT}. A leaderboard is built of at least one result.")
    return Found(tuple(entries), tuple(left_out))


def _places(folder: Path) -> Iterator[str]:
    """Of each file that could be a result, the place below the folder, with `/`."""
    for here, inner, files in os.walk(folder):
        inner.sort()
        if RESULT in files:
            at = here[len(str(folder)) :].replace(os.sep, "/").strip("/")
            yield f"{at}/{RESULT}" if at else RESULT


def _read_all(paths: Sequence[str]) -> list[tuple[Result | None, str]]:
    """Each result with `Cell.unseeded` of its cell; None, and why in a sentence, where a file is no sound result."""
    found: list[tuple[Result | None, str]] = []
    cells: dict[str, Cell] = {}
    for path in paths:
        try:
            result, unseeded = _read(path)
        except ArtifactError as error:
            found.append((None, str(error)))
            continue
        cell = result.cell
        # What the cells of a row have in common is there once: half as much to send from one process to another.
        if (first := cells.setdefault(unseeded, cell)) is not cell:
            own = {"seed": cell.seed, "recipe": cell.recipe, "origin": cell.origin}
            cell = first.model_copy(update=own)
        # Of the losses a page needs to know only whether there are any; all of them are most of a result's memory.
        found.append((result.model_copy(update={"cell": cell, "losses": result.losses[:1]}), unseeded))
    return found


def _read(path: str) -> tuple[Result, str]:
    """A result and `Cell.unseeded` of its cell. Raises: ArtifactError where the file is no sound result."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            raise ArtifactError(f"{path} is a link. Put the file itself there.")
        if found.st_size > MAX_RESULT_BYTES:
            raise ArtifactError(f"{path} has {found.st_size:,} bytes; a result has at most {MAX_RESULT_BYTES:,}.")
        return read_named(path)
    except ArtifactError:
        raise
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError, OverflowError) as error:  # what no rule foresaw is still no result
        raise ArtifactError(f"{path} is not a valid result: {type(error).__name__}: {error}.") from error
