"""What a check of submitted results found: faults, suspicions, what is lacking. torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddbench.result.schema import Result

Kind = Literal["wrong", "suspicious", "incomplete"]
"""wrong: refused. suspicious: a person should look. incomplete: sound, but a table would lack something."""


@dataclass(frozen=True)
class Finding:
    """One sentence on one file, or on the whole folder where `where` is empty."""

    kind: Kind
    where: str
    text: str

    def __str__(self) -> str:
        mark = "" if self.kind == "wrong" else f"{self.kind}: "
        return mark + (f"{self.where}: {self.text}" if self.where else self.text)


@dataclass(frozen=True)
class Entry:
    """A result and the file that it was read from."""

    path: Path
    """Below the folder that was checked."""
    result: Result

    @property
    def where(self) -> str:
        return self.path.as_posix()


@dataclass(frozen=True)
class Checked:
    """Every result file of a folder."""

    entries: tuple[Entry, ...]
    """Those that could be read."""
    files: int
    findings: tuple[Finding, ...]

    def of(self, kind: Kind) -> list[Finding]:
        return [f for f in self.findings if f.kind == kind]
