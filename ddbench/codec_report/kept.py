"""Rows of a report on disk, each written whole as soon as it is measured, so that the same command goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from ddbench.codec_report.schema import Row
from ddbench.errors import ArtifactError, RunError
from ddbench.sealed import read_sealed, write_sealed

KEY_LETTERS = 16
ROWS = "rows"


class Kept:
    """The folder of a report: `rows/<key>.safetensors`, each a row, or a student on the originals, with its tensors."""

    def __init__(self, folder: Path) -> None:
        """Raises: RunError where the folder cannot be made or written in."""
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file, not a folder. Name another with --out.")
        try:
            (folder / ROWS).mkdir(parents=True, exist_ok=True)
            probe = folder / ROWS / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunError(f"{folder} cannot be written in: {error.strerror}. Name another with --out.") from error

    def row(self, key: str) -> tuple[Row, Tensor] | None:
        """(row, its examples) where it is finished and sound."""
        found = self.student(key)
        if found is None:
            return None
        tensors, note = found
        try:
            return Row.model_validate(note["row"]), tensors["examples"]
        except (ValidationError, KeyError):
            return None

    def keep_row(self, row: Row, examples: Tensor) -> None:
        self.keep_student(row.key, {"examples": examples}, {"row": row.model_dump(mode="json")})

    def student(self, key: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """(weights, note) of a student on the originals."""
        try:
            return read_sealed(self._path(key), key)
        except ArtifactError:
            return None

    def keep_student(self, key: str, weights: Mapping[str, Tensor], note: Mapping[str, Any]) -> None:
        """Raises: RunError where it cannot be written."""
        write_sealed(self._path(key), key, weights, note)

    def _path(self, key: str) -> Path:
        return self.folder / ROWS / f"{key[:KEY_LETTERS]}.safetensors"
