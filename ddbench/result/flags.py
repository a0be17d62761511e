"""Flags: the maintainers' list of results that are withdrawn or doubtful, with the reason. torch-free."""

from __future__ import annotations

from datetime import date as calendar_date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ddbench.spec.mistakes import Form, model_faults
from ddbench.spec.yaml import Document, Fault, read

FILE = "flags.yaml"
FORMAT = 1
Kind = Literal["withdrawn", "doubtful"]


class Flag(BaseModel):
    """What a reader must know of a result, or of all replications of a key, before taking it at its word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern="^[0-9a-f]{64}$")
    run_id: str | None = Field(None, min_length=1, description="One replication; without it every result of the key.")
    kind: Kind = Field(description="withdrawn: leaves the ranking; doubtful: stays, with a mark.")
    reason: str = Field(min_length=1)
    date: str = Field(description="YYYY-MM-DD")
    by: str = Field(min_length=1, description="Who put the flag.")

    @field_validator("date")
    @classmethod
    def _a_day(cls, value: str) -> str:
        calendar_date.fromisoformat(value)
        return value


class _Flags(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ddbench_flags: Literal[1]
    flags: tuple[Flag, ...] = ()


_FORM = Form(_Flags, {"flags": Flag}, "ddbench_flags", FORMAT, {Flag: "a mapping with key, kind, reason, date and by"})


def read_flags(path: Path) -> tuple[Flag, ...]:
    """The flags in a file. Raises: SpecError that lists every mistake as `file:line: what`."""
    document = read(path)
    faults = list(document.faults)
    if not isinstance(document.data, dict):
        said = f"flags are a mapping of keys, found {type(document.data).__name__}. Begin: ddbench_flags: {FORMAT}"
        raise document.error([*faults, document.fault((), said)])
    try:
        flags = _Flags.model_validate(document.data).flags
    except ValidationError as error:
        raise document.error([*faults, *model_faults(error, document, _FORM)]) from error
    if faults := [*faults, *_twice(flags, document)]:
        raise document.error(faults)
    return flags


def _twice(flags: tuple[Flag, ...], document: Document) -> list[Fault]:
    seen: dict[tuple[str, str | None], int] = {}
    faults = []
    for i, flag in enumerate(flags):
        first = seen.setdefault((flag.key, flag.run_id), i)
        if first != i:
            line = document.line(("flags", first))
            faults.append(document.fault(("flags", i), f"this result was flagged on line {line} already. Keep one."))
    return faults
