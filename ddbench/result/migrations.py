"""How results of older schemas are read: one pure step a version, so that old files read for ever. torch-free.

A field that is merely new needs no step: `ddbench.written.ADDED` gives it a default, and old files keep their text and
key. A step is for what changes its name, its place or its meaning. It must leave `cell`, and hence the key, as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ddbench.errors import ArtifactError
from ddbench.result.schema import SCHEMA_VERSION

Step = Callable[[dict[str, Any]], dict[str, Any]]

MIGRATIONS: Mapping[int, Step] = {}
"""From each older version that ever was to the next: takes a result's plain data, leaves them alone, returns new."""


def known_versions() -> list[int]:
    """Schema versions that can be read, the current one last."""
    return [*sorted(MIGRATIONS), SCHEMA_VERSION]


def migrated(data: dict[str, Any], path: str | Path) -> dict[str, Any]:
    """The data of a known version as today's schema has them.

    Raises: ArtifactError naming the file where it lacks what a step rests on.
    """
    while (version := data["schema_version"]) != SCHEMA_VERSION:
        try:
            data = {**MIGRATIONS[version](data), "schema_version": version + 1}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ArtifactError(
                f"{path} says that it is of result schema {version}, but does not have its shape: "
                f"{type(error).__name__} {error}."
            ) from error
    return data
