"""A set that ddbench made, taken up again: with its cell where that lies beside it, else as one made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ddbench import artifact
from ddbench.artifact.card import Card
from ddbench.artifact.distilled import CARD, TENSORS, DistilledSet
from ddbench.errors import ArtifactError, SpecError
from ddbench.files import read_json
from ddbench.result.io import read_result
from ddbench.result.schema import Result
from ddbench.spec.cell import Cell

RESULT, CELL = "result.json", "cell.json"


@dataclass(frozen=True)
class Own:
    """A set of ddbench on disk, with the cell and the result that lie beside it."""

    stored: DistilledSet
    folder: Path
    cell: Cell | None
    result: Result | None

    @property
    def files(self) -> tuple[bytes, bytes]:
        """The tensor file and the card, as they are."""
        return (self.folder / TENSORS).read_bytes(), (self.folder / CARD).read_bytes()


def read_own(path: Path) -> Own:
    """The set at a path, and its cell. Raises: ArtifactError where one is damaged, or they do not belong together."""
    stored = artifact.load(path)
    folder = stored.file.parent
    result = read_result(folder / RESULT) if (folder / RESULT).is_file() else None
    cell = result.cell if result else _cell(folder / CELL)
    if cell is not None and (fault := _disagreement(cell, result, stored.card)):
        raise ArtifactError(
            f"{folder} holds a set and a cell that do not belong together: {fault}. Move the set to a folder of its "
            "own to evaluate it as one made elsewhere."
        )
    return Own(stored, folder, cell, result)


def _cell(path: Path) -> Cell | None:
    if not path.is_file():
        return None
    try:
        return Cell.model_validate(read_json(path))
    except ValidationError as error:
        raise ArtifactError(f"{path} is not a cell: {error.error_count()} faults.") from error


def _disagreement(cell: Cell, result: Result | None, card: Card) -> str:
    told = (cell.dataset.name, cell.versions.dataset, cell.codec, cell.versions.codec, cell.storage, cell.seed)
    held = (card.dataset, card.revision, card.codec, card.codec_version, card.storage, card.seed)
    names = ("dataset", "revision", "codec", "version of the codec", "storage", "seed")
    for name, a, b in zip(names, told, held):
        if a != b:
            return f"the {name} of the cell is {a}, that of the set {b}"
    if result is not None and result.artifact is not None and result.artifact.sha256 != card.sha256:
        return "the result is of a set with another digest"
    return ""


def check_revision(card: Card, revision: str, asked: str) -> None:
    """Raises: SpecError where a set is of another dataset, or another revision, than the one asked for."""
    if card.revision != revision:
        raise SpecError(
            f"The set is of revision {card.revision} of {card.dataset!r}; {asked!r} is here in revision {revision}."
        )
