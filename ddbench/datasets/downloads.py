"""Downloading, where it is allowed: one process at a time, every failure a DataError. torch-free at import."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from ddbench.datasets.locations import DATA_VARIABLE, data_root
from ddbench.errors import DataError


def fetch(dataset: str, download: Callable[[Path], object]) -> None:
    """Calls `download(data_root())` under the data folder's lock, so that parallel cells download once.

    `download` does nothing where the files are there already. Raises: DataError with the cause of a failure.
    """
    root = data_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".download.lock"):
            download(root)
    except (OSError, RuntimeError, ValueError, EOFError, HTTPException, tarfile.TarError) as error:
        raise DataError(
            f"The files of {dataset!r} could not be downloaded into {root}: {type(error).__name__}: "
            f"{' '.join(str(error).split()).rstrip('. ')}. "
            f"Check the network, the room and the permissions there, or put the files there yourself "
            f"({DATA_VARIABLE} names the folder)."
        ) from error
