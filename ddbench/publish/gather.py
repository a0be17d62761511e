"""What of a folder is published: sound results with their sets, and pictures; every other file stays. torch-free.

The layout of what goes is `results/GROUP/KEY/{result.json, distilled.json, distilled.safetensors}` and
`pictures/GROUP/NAME.png`; a group is a suite, or a folder of results.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ddbench.errors import ArtifactError, DdbenchError
from ddbench.publish.privacy import cleaned, private
from ddbench.publish.sound import sound_picture, words_of
from ddbench.result.schema import Result
from ddbench.submission.folder import check_file

RESULT, CARD, TENSORS = "result.json", "distilled.json", "distilled.safetensors"
CHART, PICTURES, INDEX = "chart.png", "pictures", "suite.json"
KEY_LETTERS, RUN_LETTERS = 16, 8
LISTED = 3
"""Faults of a result that are told; `ddbench validate` tells all."""


@dataclass(frozen=True)
class Item:
    """A file that goes: its path there, and its content, or the file that has it."""

    path: str
    source: bytes | Path

    @property
    def size(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    def read(self) -> bytes:
        """Raises: ArtifactError where the file is gone or cannot be read any more."""
        if isinstance(self.source, bytes):
            return self.source
        try:
            return self.source.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{self.source} cannot be read: {error.strerror}.") from error


@dataclass
class Gathered:
    """The files that go, and what has to be said of the others."""

    items: list[Item] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """A sentence for each result that is damaged, or that tells a local path which its key is made of."""
    changed: list[str] = field(default_factory=list)
    """A line for each result that lost local paths or host names on the way."""
    left: list[str] = field(default_factory=list)
    """Pictures that stay, and why."""


@dataclass(frozen=True)
class _Found:
    where: Path
    group: str
    result: Result
    changed: tuple[str, ...]


def gather(folder: Path) -> Gathered:
    """What goes of a run folder, or of a folder of results. Raises: ArtifactError where there is no result in it."""
    if not folder.is_dir():
        raise ArtifactError(f"There is no folder {folder}. Give a run folder, such as runs/quickstart.")
    made = Gathered()
    found: list[_Found] = []
    for where, names in _folders(folder):
        group = _group(folder, where)
        if RESULT in names:
            try:
                found.append(_checked(where, group))
            except DdbenchError as error:
                made.refused.append(str(error))
        pictures = sorted(n for n in names if n.endswith(".png")) if where.name == PICTURES else []
        for name in [*pictures, *([CHART] if CHART in names and INDEX in names else [])]:
            _picture(made, where / name, f"{PICTURES}/{group}/{_slug(name)}")
    if not found and not made.refused:
        raise ArtifactError(f"{folder} holds no {RESULT}. `ddbench run SUITE --out {folder}` writes them.")
    _place(made, found)
    made.items.sort(key=lambda item: item.path)
    return made


def _folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below, with its files; links to folders are not followed, hidden folders not entered."""
    for where, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(where), names


def _group(folder: Path, where: Path) -> str:
    """The folders between the top and a cell's folder, or a folder of pictures, as one path."""
    inner = where.relative_to(folder).parts
    if not (where / INDEX).exists():
        inner = inner[:-1]
    named = [_slug(part) for part in inner if part != "cells"]
    return "/".join(named) or _slug(folder.resolve().name)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "results"


def _checked(where: Path, group: str) -> _Found:
    """The result in a folder with what is private taken out. Raises: DdbenchError saying what is wrong with it."""
    file = where / RESULT
    checked = check_file(file)
    if faults := [finding.text.removesuffix(".") for finding in checked.of("wrong")]:
        more = f"; and {len(faults) - LISTED} more" if len(faults) > LISTED else ""
        raise ArtifactError(f"{file}: {'; '.join(faults[:LISTED])}{more}.")
    result, changed = cleaned(checked.entries[0].result)
    told = private(result.cell.model_dump(mode="json", exclude={"recipe"}), "cell")
    if result.artifact is not None:
        told += private(words_of(where), "the set")
    if told:
        raise ArtifactError(
            f"{file} tells a local path that cannot be taken out, since its key or digest is made of it: "
            f"{'; '.join(told[:LISTED])}. Name data and weights relative to DDBENCH_DATA and DDBENCH_MODELS, then run "
            "it again."
        )
    return _Found(where, group, result, changed)


def _place(made: Gathered, found: list[_Found]) -> None:
    """Gives each result its folder: by its key, and by its run too where several of one group have the key."""
    times = Counter((f.group, f.result.key) for f in found)
    taken: dict[str, Path] = {}
    for f in found:
        key, run = f.result.key[:KEY_LETTERS], _slug(f.result.run_id[:RUN_LETTERS])
        at = f"results/{f.group}/{key}" + (f"-{run}" if times[f.group, f.result.key] > 1 else "")
        if at.lower() in taken:
            made.refused.append(f"{f.where / RESULT} is the run of {taken[at.lower()] / RESULT} once more. Keep one.")
            continue
        taken[at.lower()] = f.where
        made.results.append(f.result)
        written = (f.result.model_dump_json(indent=1) + "\n").encode() if f.changed else f.where / RESULT
        made.items.append(Item(f"{at}/{RESULT}", written))
        if f.result.artifact is not None:
            made.items += [Item(f"{at}/{name}", f.where / name) for name in (CARD, TENSORS)]
        if f.changed:
            made.changed.append(f"{at}/{RESULT}: {', '.join(f.changed)}")


def _picture(made: Gathered, file: Path, path: str) -> None:
    try:
        sound_picture(file)
    except ArtifactError as error:
        made.left.append(str(error))
    else:
        made.items.append(Item(path, file))
