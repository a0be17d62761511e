"""Where data files live, and whether they may be fetched: two environment variables, no paths in suites. torch-free."""

from __future__ import annotations

import os
from pathlib import Path

from ddbench.errors import DataError

DATA_VARIABLE = "DDBENCH_DATA"
DOWNLOAD_VARIABLE = "DDBENCH_DOWNLOAD"
DEFAULT_ROOT = "~/.cache/ddbench/data"

_YES = {"1", "true", "yes", "on"}
_NO = {"", "0", "false", "no", "off"}


def data_root() -> Path:
    """The folder of data files: $DDBENCH_DATA, else `~/.cache/ddbench/data`. It need not exist."""
    return Path(os.environ.get(DATA_VARIABLE) or DEFAULT_ROOT).expanduser()


def below_data_root(name: str) -> str:
    """The way below the data folder: where the data folder lies is not the cell's business.

    Raises: ValueError for a folder outside it, or none.
    """
    path, root = Path(name).expanduser(), data_root()
    if path.is_absolute():
        if not path.is_relative_to(root):
            raise ValueError(
                f"the folder lies outside the data folder {root}: set {DATA_VARIABLE} to the folder that holds it, "
                "or link it there (ln -s)"
            )
        path = path.relative_to(root)
    if not path.parts or ".." in path.parts:
        raise ValueError(f"a folder below the data folder {root} is asked for")
    return path.as_posix()


def allow_downloads() -> bool:
    """Whether $DDBENCH_DOWNLOAD permits downloads; unset means no.

    Raises: DataError where the variable is neither a yes nor a no.
    """
    value = os.environ.get(DOWNLOAD_VARIABLE, "").strip().lower()
    if value not in _YES | _NO:
        raise DataError(f"{DOWNLOAD_VARIABLE} should be 1 or 0; found {value!r}. Set it to 1 to allow downloads.")
    return value in _YES
