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


def allow_downloads() -> bool:
    """Whether $DDBENCH_DOWNLOAD permits downloads; unset means no.

    Raises: DataError where the variable is neither a yes nor a no.
    """
    value = os.environ.get(DOWNLOAD_VARIABLE, "").strip().lower()
    if value not in _YES | _NO:
        raise DataError(f"{DOWNLOAD_VARIABLE} should be 1 or 0; found {value!r}. Set it to 1 to allow downloads.")
    return value in _YES
