"""Files: written whole or not at all, read with an error that names them. torch-free."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from ddbench.errors import ArtifactError, RunError


def write_atomic(path: str | Path, data: bytes | str, sync: bool = True) -> None:
    """Replaces `path` by `data` in one step: a reader sees the old file or the new one, after a crash too.

    Without `sync` that holds for a crash of the process alone: for the many files that can be made anew.

    Raises: RunError where the folder is missing, unwritable or full. The old file then stays as it was.
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(
            f"{path} could not be written ({len(content)} bytes): {error.strerror or error}. "
            "Check that its folder exists, is writable and has room, then run the same command again."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def read_json(path: str | Path) -> Any:
    """The JSON value in a file. Raises: ArtifactError where it is missing, unreadable, truncated or not JSON."""
    return parse_json(read_text(path), path)


def read_text(path: str | Path) -> str:
    """The UTF-8 text of a file. Raises: ArtifactError where it is missing, unreadable or not text."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ArtifactError(f"There is no file {path}.") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path} is not text: byte {error.start} is not UTF-8.") from error


def parse_json(text: str, where: str | Path) -> Any:
    """The JSON value of a text that came from `where`; NaN and Infinity, which JSON has not, are refused.

    Raises: ArtifactError saying where the text stops being JSON.
    """

    def refuse(constant: str) -> NoReturn:
        raise ArtifactError(f"{where} holds {constant}, which is not JSON.")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        cause = "is empty" if not text.strip() else f"is not JSON, or was cut short: {error.msg} at line {error.lineno}"
        raise ArtifactError(f"{where} {cause}.") from error
    except RecursionError as error:
        raise ArtifactError(f"{where} is nested too deeply to be one of ours.") from error
