"""Files: written whole or not at all, read with an error that names them. torch-free."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from ddbench.errors import ArtifactError, RunError

MAX_TEXT_BYTES = 64 * 2**20
"""No file of ours that is read as text comes near it; a stranger's may be a device that never ends."""
MAX_DEPTH = 64
"""Levels of nesting; ours have about ten."""


def write_atomic(path: str | Path, data: bytes | str, sync: bool = True) -> None:
    """Replaces `path` by `data` in one step: a reader sees the old file or the new one, after a crash too.

    Without `sync` that holds for a crash of the process alone: for the many files that can be made anew.

    Raises: RunError where the folder is missing, unwritable or full. The old file then stays as it was.
    """
    content = data.encode() if isinstance(data, str) else data
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{uuid4().hex[:8]}.tmp")
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise RunError(
            f"{path} could not be written ({len(content)} bytes): {error.strerror or error}. "
            "Check that its folder exists, is writable and has room, then run the same command again."
        ) from error


def read_json(path: str | Path) -> Any:
    """The JSON value in a file. Raises: ArtifactError where it is missing, unreadable, truncated or not JSON."""
    return parse_json(read_text(path), path)


def read_text(path: str | Path) -> str:
    """The UTF-8 text of a file. Raises: ArtifactError where it is missing, unreadable, too large or not text."""
    return decoded(read_bytes(path, MAX_TEXT_BYTES), path)


def decoded(data: bytes, path: str | Path) -> str:
    """The UTF-8 text of what a file holds. Raises: ArtifactError where it is not text."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path} is not text: byte {error.start} is not UTF-8.") from error


def read_bytes(path: str | Path, most: int | None = None) -> bytes:
    """What a file holds. Raises: ArtifactError where it is missing, unreadable, no file, or longer than `most`."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
            raise ArtifactError(f"{path} cannot be read: it is {kind}.")
        if most is not None and found.st_size > most:
            raise ArtifactError(f"{path} is {found.st_size:,} bytes long; such a file of ours has at most {most:,}.")
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except FileNotFoundError as error:
        raise ArtifactError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise ArtifactError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def parse_json(text: str, where: str | Path) -> Any:
    """The JSON value of a text that came from `where`.

    Refused is what readers of JSON disagree about: NaN and Infinity, numbers beyond float64, a key given twice, half a
    surrogate pair, hundreds of levels of nesting. Raises: ArtifactError saying what, or where the text is not JSON.
    """

    def refuse(constant: str) -> NoReturn:
        raise ArtifactError(f"{where} holds {constant}, which is not JSON.")

    def finite(digits: str) -> float:
        if not math.isfinite(value := float(digits)):
            raise ArtifactError(f"{where} holds {digits[:20]}, a number too large for a float64.")
        return value

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise ArtifactError(f"{where} gives the key {twice[:80]!r} twice in one object.")
        return found

    try:
        value = json.loads(text, parse_constant=refuse, parse_float=finite, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        cause = "is empty" if not text.strip() else f"is not JSON, or was cut short: {error.msg} at line {error.lineno}"
        raise ArtifactError(f"{where} {cause}.") from error
    except ValueError as error:  # Python's own limit on the digits of a whole number
        raise ArtifactError(f"{where} holds a whole number of thousands of digits.") from error
    except RecursionError as error:
        raise ArtifactError(f"{where} is nested too deeply to be one of ours.") from error
    _check_plain(value, where)
    return value


def _check_plain(value: Any, where: str | Path) -> None:
    """Raises: ArtifactError for values nested beyond MAX_DEPTH, and for text that cannot be written as UTF-8."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise ArtifactError(f"{where} is nested too deeply to be one of ours (more than {MAX_DEPTH} levels).")
        texts = [v for v in level if isinstance(v, str)] + [k for v in level if isinstance(v, dict) for k in v]
        if any("\ud800" <= c <= "\udfff" for t in texts if not t.isascii() for c in t):
            raise ArtifactError(f"{where} holds half a surrogate pair, which is no character.")
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level, depth = [v for values in inner for v in values], depth + 1
