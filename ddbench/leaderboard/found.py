"""The results of a folder, each with the place where it lies; what is unsound is named and left out. torch-free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import ArtifactError
from ddbench.report.table import RESULT
from ddbench.result.io import read_result
from ddbench.result.schema import Result

MAX_RESULT_BYTES = 16_000_000
"""Many times what a result with fifty students on 50,000 test images takes."""


@dataclass(frozen=True)
class Entry:
    """A result, and its folder below the folder of results (with `/`, whatever the machine)."""

    result: Result
    at: str


@dataclass(frozen=True)
class Found:
    """What a folder holds."""

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]
    """Files that are no sound results: (place below the folder, why in a sentence)."""


def find(folder: Path) -> Found:
    """Every result below a folder, in the order of their places. Links are not followed: a submission may hold any.

    Raises: ArtifactError where there is no folder, or no file in it that could be a result.
    """
    if not folder.is_dir():
        raise ArtifactError(f"There is no folder {folder}. Give the one that holds the results of the leaderboard.")
    entries: list[Entry] = []
    left_out: list[tuple[str, str]] = []
    first: dict[tuple[str, str], str] = {}
    for path in _files(folder):
        at = path.parent.relative_to(folder).as_posix()
        place = path.relative_to(folder).as_posix()
        try:
            result = _read(path)
        except ArtifactError as error:
            left_out.append((place, str(error)))
            continue
        twin = first.setdefault((result.key, result.run_id), place)
        if twin != place:
            left_out.append((place, f"{path} is the same run of the same cell as {folder / twin}. Keep one of them."))
            continue
        # Of the losses a page needs to know only whether there are any; all of them are most of a result's memory.
        entries.append(Entry(result.model_copy(update={"losses": result.losses[:1]}), at))
    if not entries and not left_out:
        raise ArtifactError(f"{folder} holds no {RESULT}. A leaderboard is built of at least one result.")
    return Found(tuple(entries), tuple(left_out))


def _files(folder: Path) -> Iterator[Path]:
    for here, inner, files in os.walk(folder):
        inner.sort()
        if RESULT in files:
            yield Path(here, RESULT)


def _read(path: Path) -> Result:
    if path.is_symlink():
        raise ArtifactError(f"{path} is a link. Put the file itself there.")
    size = path.stat().st_size
    if size > MAX_RESULT_BYTES:
        raise ArtifactError(f"{path} has {size:,} bytes; a result has at most {MAX_RESULT_BYTES:,}.")
    try:
        return read_result(path)
    except ArtifactError:
        raise
    except (ValueError, RecursionError, OverflowError) as error:  # what no rule foresaw is still no result
        raise ArtifactError(f"{path} is not a valid result: {type(error).__name__}: {error}.") from error
