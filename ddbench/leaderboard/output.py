"""The folder of a built leaderboard: only what changed is written, nothing of anyone else's touched. torch-free."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from ddbench.errors import ArtifactError, RunError
from ddbench.files import read_json, write_atomic

MANIFEST = "site/manifest.json"
TOPS = ("README.md", "site")
"""What a build may write at the top of its folder."""


Made = tuple[str, str, bool]
"""A file's name, its digest, and whether it had to be written."""


class Output:
    """Files that a build makes. A manifest names them, so that the next build knows which are its own to replace."""

    def __init__(self, out: Path, names: Iterable[str]) -> None:
        """`names` are all files of this build. Raises: RunError where a folder is a link or cannot be made."""
        self.out = out
        self.names = set(names)
        self.before = _manifest(out)
        self.digests: dict[str, str] = {}
        self.written = self.removed = 0
        self.kept: list[str] = []
        """Files of an earlier build that somebody changed since: no longer needed, and not removed."""
        self._is_announced = False
        for folder in sorted({str(PurePosixPath(name).parent) for name in [*self.names, MANIFEST]}):
            _make(out, folder)
        self.is_contested = any(os.path.lexists(os.path.join(out, name)) for name in self.names - self.before.keys())
        """Whether something of somebody else may stand in the way."""

    def put(self, name: str, data: bytes) -> Made:
        """Writes a file unless it is so already; `note` is to be told. May run in another process than `note`.

        Raises: RunError where one stands there that no build made.
        """
        assert name in self.names
        path = os.path.join(self.out, name)
        digest = sha256(data).hexdigest()
        is_so = _holds(path, data)
        if is_so:
            return name, digest, False
        if is_so is not None and name not in self.before:
            raise RunError(f"{path} was not made by this command. Move it away, or give another folder with --out.")
        self._announce()
        write_atomic(path, data, sync=False)
        return name, digest, True

    def note(self, made: Made) -> None:
        """Keeps what `put` says of a file."""
        name, self.digests[name], is_written = made
        self.written += is_written

    def finish(self) -> None:
        """Removes what earlier builds made and this one does not, and writes the manifest."""
        for name in sorted(self.before.keys() - self.names):
            path = os.path.join(self.out, name)
            there = _bytes(path)
            if there is None:
                continue
            if self.before[name] not in (None, sha256(there).hexdigest()):
                self.kept.append(name)
                continue
            self._announce()
            with suppress(OSError):
                os.unlink(path)
                self.removed += 1
        text = _text({name: self.digests[name] for name in sorted(self.digests)})
        if _bytes(os.path.join(self.out, MANIFEST)) != text:
            write_atomic(self.out / MANIFEST, text)

    def _announce(self) -> None:
        """Before the first change: a build that is killed leaves files which the next one must know for its own.

        Each process that writes does this, all of them the same.
        """
        if not self._is_announced:
            self._is_announced = True
            write_atomic(self.out / MANIFEST, _text({**self.before, **dict.fromkeys(sorted(self.names))}))


def _manifest(out: Path) -> dict[str, str | None]:
    """File → digest of what the build wrote, None where it may have been interrupted."""
    path = out / MANIFEST
    if not path.exists():
        return {}
    data = read_json(path)
    files = data.get("files") if isinstance(data, dict) else None
    if not isinstance(files, dict) or not all(map(_is_own, files)):
        raise ArtifactError(f"{path} is not a manifest of a leaderboard. Remove it, and the site that it belongs to.")
    return {name: digest if isinstance(digest, str) else None for name, digest in files.items()}


def _is_own(name: Any) -> bool:
    """Whether a name from a manifest is one that a build can have written: below its folder, without detours."""
    parts = PurePosixPath(name).parts
    return parts[:1] in {(top,) for top in TOPS} and ".." not in parts and name != MANIFEST and "\0" not in name


def _text(files: dict[str, str | None] | dict[str, str]) -> bytes:
    return (json.dumps({"made_by": "ddbench leaderboard build", "files": files}, indent=0) + "\n").encode()


def _make(out: Path, folder: str) -> None:
    """The folder below `out`, every part of it a folder and no link, so that nothing is written elsewhere."""
    here = out
    for part in [None, *PurePosixPath(folder).parts]:
        here = here if part is None else here / part
        if part is not None and here.is_symlink():
            raise RunError(f"{here} is a link to another place. Remove it, or give another folder with --out.")
        try:
            here.mkdir(parents=part is None, exist_ok=True)
        except OSError as error:
            raise RunError(f"Cannot create the folder {here}: {error.strerror}.") from error


def _holds(path: str, data: bytes) -> bool | None:
    """Whether a file holds just this; None where there is none. Raises: RunError where it is no plain file."""
    size = _size(path)
    return None if size is None else size == len(data) and _bytes(path) == data


def _bytes(path: str) -> bytes | None:
    """What stands there, None where nothing does. Raises: RunError where it is no plain file."""
    try:
        if _size(path) is None:
            return None
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}. Move it away, or give another --out.") from error


def _size(path: str) -> int | None:
    """Bytes of the file that stands there, None where none does. Raises: RunError where it is no plain file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise RunError(f"{path} is a link to another place. Remove it, or give another folder with --out.")
    if not stat.S_ISREG(found.st_mode):
        raise RunError(f"{path} is a folder, a device or a pipe. Move it away, or give another --out.")
    return found.st_size
