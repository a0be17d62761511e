"""Splits in the format of the `datasets` library: from the Hugging Face hub's cache, the hub, or a local copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddbench.datasets.locations import DATA_VARIABLE, DOWNLOAD_VARIABLE, data_root
from ddbench.errors import DataError, did_you_mean

PART = re.compile(r"-(\d+)-of-(\d+)(?:-[0-9a-f]+)?$")
"""In the name of one of several Parquet files: its number, and how many there are."""


def splits(
    repo: str, revision: str, names: tuple[str, ...], download: bool, arguments: tuple[str, ...] = ("train", "test")
) -> dict[str, Any]:
    """The splits by name; `arguments` are what names them. Raises: DataError where one is missing or unreadable."""
    local = data_root() / repo
    if local.is_dir():
        return {name: _local(local, name, arguments) for name in names}
    return {name: _hub(repo, revision, name, download) for name in names}


def known_by(repo: str, revision: str) -> list[str]:
    """What changes whenever the set does: names and content of a local copy's files, else repository and revision."""
    local = data_root() / repo
    return _listing(local) if local.is_dir() else [repo, revision]


def is_copy(folder: Path, split: str) -> bool:
    """Whether the folder holds a set by save_to_disk, or the split's Parquet files in itself or one folder down."""
    if (folder / "dataset_dict.json").exists():
        return True
    names = (f"{split}.parquet", f"{split}-*.parquet")
    return any(next(folder.glob(way + name), None) for way in ("", "*/") for name in names)


def check_columns(found: dict[str, Any], repo: str, *columns: str) -> None:
    """Raises: DataError where a split lacks one of the columns."""
    for name, split in found.items():
        for column in columns:
            if column not in split.column_names:
                raise DataError(
                    f"The split {name!r} of {repo!r} has no column {column!r}. "
                    f"{did_you_mean(column, split.column_names)}"
                )


def labels(found: dict[str, Any], repo: str, column: str, train: str) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """The labels of each split as whole numbers, and the classes' names."""
    values = {name: list(split[column][:]) for name, split in found.items()}
    names = getattr(found[train].features[column], "names", None)
    if names is None and all(isinstance(v, str) for part in values.values() for v in part):
        names = sorted({v for part in values.values() for v in part})
        place = {name: k for k, name in enumerate(names)}
        values = {name: [place[v] for v in part] for name, part in values.items()}
    known = [v for part in values.values() for v in part]
    if not all(isinstance(v, int) and v >= 0 for v in known):
        raise DataError(f"The column {column!r} of {repo!r} holds rows without a label.")
    if names is None:
        names = [str(k) for k in range(max(known) + 1)]
    if (most := max(known, default=0)) >= len(names):
        raise DataError(f"The column {column!r} of {repo!r} holds the label {most}, and names {len(names)} classes.")
    return values, tuple(names)


def _hub(repo: str, revision: str, split: str, download: bool) -> Any:
    import datasets

    if not revision:
        raise DataError(
            f"There is no folder {data_root() / repo} ({DATA_VARIABLE} names another data folder), and the "
            f"hub's dataset {repo!r} needs the argument 'revision': a commit or tag, so that the data stay "
            "the same."
        )
    try:
        with _offline(not download):
            return datasets.load_dataset(repo, split=split, revision=revision)
    except Exception as error:
        raise DataError(
            f"The split {split!r} of the hub's dataset {repo!r} at revision {revision!r} cannot be "
            f"had: {type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}. Check the name, or put a "
            f"copy into {data_root() / repo} (save_to_disk or Parquet files)"
            + ("." if download else f", or allow the download with {DOWNLOAD_VARIABLE}=1 and `ddbench prepare`.")
        ) from error


def _local(folder: Path, split: str, arguments: tuple[str, ...]) -> Any:
    """One split of a local copy. Raises: DataError where it is missing or unreadable."""
    import datasets

    is_saved = (folder / "dataset_dict.json").exists() and (folder / split).is_dir()
    parts = sorted(f for f in folder.rglob("*.parquet") if f.stem == split or f.name.startswith(f"{split}-"))
    if not is_saved and not parts:
        raise DataError(
            f"{folder} has no split {split!r}: neither a folder of that name by save_to_disk, nor {split}.parquet, nor "
            f"{split}-*.parquet. Name another split with the arguments {' and '.join(map(repr, arguments))}."
        )
    if not is_saved:
        _check_whole(parts, split)
    try:
        if is_saved:
            found = datasets.load_from_disk(str(folder / split))
        else:
            with _offline(True):  # the library counts even what it reads locally
                found = datasets.load_dataset("parquet", data_files={split: list(map(str, parts))}, split=split)
    except Exception as error:
        raise DataError(f"{folder} cannot be read: {type(error).__name__}: {' '.join(str(error).split())}.") from error
    if not len(found):
        raise DataError(f"The split {split!r} of {folder} has no rows.")
    return found


def _check_whole(files: list[Path], split: str) -> None:
    """Raises: DataError where some of the files that belong together are not there, by their numbers."""
    numbered = [(int(m[1]), int(m[2])) for f in files if (m := PART.search(f.stem))]
    for total in {of for _, of in numbered}:
        if lacking := sorted(set(range(total)) - {i for i, of in numbered if of == total}):
            raise DataError(
                f"The split {split!r} of {files[0].parent} lacks {len(lacking)} of its {total} Parquet files, first "
                f"number {lacking[0]}. Fetch them all."
            )


def _listing(folder: Path) -> list[str]:
    """The local copy's data files, by name and content: Parquet and Arrow files are few."""
    from ddbench.datasets.picture_folders import contents

    files = sorted(
        f for f in folder.rglob("*") if f.suffix in (".parquet", ".arrow") and not f.name.startswith("cache-")
    )
    return [f"{f.relative_to(folder).as_posix()} {known}" for f, known in zip(files, contents(files))]


@contextmanager
def _offline(yes: bool) -> Iterator[None]:
    """The library asks no network inside; it reads its own variables only when it is imported."""
    from datasets import config
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if yes:
        config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
