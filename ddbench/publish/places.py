"""Where a published folder can go: the abstract place, and a folder. torch-free."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import RunError, SpecError
from ddbench.files import write_atomic
from ddbench.publish.card import MARK, README
from ddbench.publish.gather import Item

REPOSITORY = re.compile(r"[A-Za-z0-9_](?:[\w.-]*\w)?/[A-Za-z0-9_](?:[\w.-]{0,94}\w)?", re.ASCII)


@dataclass(frozen=True)
class Sent:
    """What was done: paths that are new or were replaced, and those that were there already."""

    sent: tuple[str, ...]
    unchanged: tuple[str, ...]
    where: str


class Place(ABC):
    """Takes files by their paths. What is there already under another path stays."""

    title: str
    """The place in words."""
    name: str
    """What the card is headed with."""
    fetch: tuple[str, ...]
    """Shell lines that bring what was published into a folder `here`."""

    @abstractmethod
    def send(self, items: Sequence[Item]) -> Sent:
        """Brings those files there that differ from what is there. Raises: RunError where it cannot."""


def foreign(where: str) -> RunError:
    """What to raise where a README is there that ddbench did not write."""
    return RunError(
        f"{where} has a {README} that `ddbench publish` did not write. Give --no-card to leave it as it is."
    )


class Folder(Place):
    """A folder on this machine, made where it is not there."""

    def __init__(self, path: Path, source: Path) -> None:
        """`source` is what is published. Raises: SpecError where one lies in the other."""
        inside, outside = path.resolve(), source.resolve()
        if inside.is_relative_to(outside) or outside.is_relative_to(inside):
            raise SpecError(f"{path} and {source} lie in each other. Publish to a folder of its own.")
        self.path = path
        self.title, self.name, self.fetch = f"the folder {path}", inside.name, ()

    def send(self, items: Sequence[Item]) -> Sent:
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file, not a folder. Name another one.")
        readme = self.path / README
        if any(i.path == README for i in items) and readme.exists() and MARK.encode() not in self._bytes(readme):
            raise foreign(str(self.path))
        sent, unchanged = [], []
        for item in items:
            target, data = self.path / item.path, item.read()
            if not target.resolve().is_relative_to(self.path.resolve()):
                raise RunError(f"{target} leads out of {self.path} through a link. Nothing is written there.")
            if target.is_file() and self._bytes(target) == data:
                unchanged.append(item.path)
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunError(f"Cannot create {target.parent}: {error.strerror}.") from error
            write_atomic(target, data)
            sent.append(item.path)
        return Sent(tuple(sent), tuple(unchanged), str(self.path))

    @staticmethod
    def _bytes(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}.") from error


def place_of(text: str, source: Path, revision: str | None, private: bool) -> Place:
    """The place that `hf:owner/name` or `folder:PATH` means. Raises: SpecError where it is neither."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "folder":
        if revision or private:
            raise SpecError("--revision and --private are for repositories (hf:owner/name), not for folders.")
        if not rest:
            raise SpecError("'folder:' is followed by a path, such as folder:published.")
        return Folder(Path(rest), source)
    if colon and kind == "hf":
        if not REPOSITORY.fullmatch(rest) or "--" in rest or ".." in rest or rest.endswith(".git"):
            raise SpecError(
                f"{rest!r} is not the name of a repository. It has the form owner/name, such as hf:me/sets."
            )
        from ddbench.publish.hub import Hub

        return Hub(rest, revision, private)
    raise SpecError(f"--to {text!r} is not a place. Give hf:owner/name for a dataset repository, or folder:PATH.")
