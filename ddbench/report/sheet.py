"""A table as words in cells, before any format: what terminal, Markdown and LaTeX have in common. torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddbench.stats import CONFIDENCE

LEVEL = (
    f"best of the rows of its budget here, or not told from the best by paired differences over seeds "
    f"({100 * CONFIDENCE:g} %, each comparison by itself)"
)
"""What it means that a figure is marked."""


@dataclass(frozen=True)
class Word:
    """The text of a cell; `is_best`: it is to be marked."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class Sheet:
    """Headings, header, groups of lines and notes."""

    headings: list[str]
    names: list[list[str]]
    """Levels of the header, each with a name for every column; a name may hold line breaks."""
    left: int
    """Columns, from the left, that are aligned there; figures stand to the right."""
    groups: list[list[list[Word]]]
    notes: list[str] = field(default_factory=list)

    @property
    def is_marked(self) -> bool:
        return any(word.is_best for group in self.groups for line in group for word in line)

    def noted(self, mark: str) -> list[str]:
        """The notes, with what `mark` means where it is used."""
        return [*([f"{mark} {LEVEL}."] if self.is_marked else []), *self.notes]


def words(lines: list[list[str]]) -> list[list[Word]]:
    return [[Word(text) for text in line] for line in lines]
