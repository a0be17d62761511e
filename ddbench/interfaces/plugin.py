"""What every plug-in declares: a version, where it comes from, and its arguments as a pydantic model."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from ddbench.written import as_written, without_added


class PluginConfig(BaseModel):
    """Base of a plug-in's arguments. Each field carries its one line of documentation in `Field(description=...)`.

    An argument that is added without changing what cells without it compute is `ddbench.written.ADDED`: then the cells
    keep their keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    _written = as_written
    _without_added = without_added


class Plugin(ABC):
    """One codec, method, dataset, network or engine, built from its validated arguments.

    `version` changes whenever results would; it is part of every cell's key. `source` names paper and equation.
    """

    version: ClassVar[str]
    source: ClassVar[str]
    Config: ClassVar[type[PluginConfig]] = PluginConfig

    @classmethod
    def version_with(cls, config: Any) -> str:
        """The version with these arguments; it is what stands in a cell's key.

        Default: `version`. A plug-in whose results rest on files beside its code (weights) adds their digest, and gives
        its instances the same `version`. Raises: DataError where the files are missing, saying how to get them.
        """
        return cls.version

    @classmethod
    def fetch(cls, config: Any, download: bool, tell: Callable[[float], None]) -> str:
        """Makes the files ready that the plug-in needs with these arguments; says in a few words what it did.

        Called by `ddbench prepare` before anything is planned. Nothing comes from the network unless `download`; `tell`
        gets the share that is done. Default: nothing to do, ''. Raises: DataError naming what is missing, where it was
        looked for, and how to get it.
        """
        return ""

    def __init__(self, config: PluginConfig | None = None) -> None:
        self.config: Any = config if config is not None else self.Config()
