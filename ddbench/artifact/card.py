"""The JSON card of a distilled set: what its tensors are, how to decode them. Holds nothing learned. torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ddbench.errors import ArtifactError
from ddbench.files import read_json
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Scope, Storage
from ddbench.spec.cell import Choice
from ddbench.written import ADDED, without_added

FORMAT_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LeafCard(_Record):
    """A leaf as it stands in the file."""

    name: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    scope: Scope
    shape: tuple[Annotated[int, Field(gt=0)], ...] | None
    dtype: str
    side: bool
    quantise: bool
    of_method: bool = Field(False, description="Declared by the method (a step size, soft labels), not by the codec.")
    coded: Annotated[bool, ADDED] = Field(
        False,
        description="Rows are written together, by the coder of whoever declared the leaf: codec or method.",
    )

    _without_added = without_added


class Card(_Record):
    """What a reader needs besides the tensors: the dataset's constants, the codec, the leaves, the classes' counts."""

    format_version: Literal[1] = FORMAT_VERSION
    dataset: str
    revision: str
    family: Annotated[str, ADDED] = Field("", description="Family of the dataset, where that is not its name.")
    class_names: tuple[str, ...] = Field(min_length=1)
    signal: SignalSpec
    codec: Choice
    codec_version: str
    method: Annotated[Choice | None, ADDED] = Field(
        default=None, description="The method, where a coder of its own has written a leaf of its own."
    )
    storage: Storage
    cap_bytes: int = Field(ge=0, description="Bytes that the set was allowed; codecs may shape their leaves by it.")
    counts: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="Items of each class; rows stand class by class, so labels cost nothing."
    )
    leaves: tuple[LeafCard, ...] = Field(min_length=1)
    refitted_for: Annotated[Literal["test", "validation"] | None, ADDED] = Field(
        None,
        description="Set where leaves of the codec are not stored but fitted again: on the training items that go with "
        "this scored split.",
    )
    seed: int = Field(ge=0, description="Seed of the cell; names the stream of a stochastic decoder.")
    sha256: str = Field(description="Digest of the tensor file.")

    _without_added = without_added

    @model_validator(mode="after")
    def _whole(self) -> Card:
        names = [leaf.name for leaf in self.leaves]
        if len(set(names)) < len(names):
            raise ValueError("two leaves have one name")
        if not any(leaf.scope == "item" for leaf in self.leaves):
            raise ValueError("no leaf has scope 'item'")
        if any(leaf.shape is None and leaf.scope != "item" for leaf in self.leaves):
            raise ValueError("byte strings have scope 'item'")
        if len(self.counts) != len(self.class_names):
            raise ValueError(f"items are counted for {len(self.counts)} of {len(self.class_names)} classes")
        channels = self.signal.shape[:1]
        if not (len(self.signal.mean),) == (len(self.signal.std),) == channels:
            raise ValueError(f"signals of shape {self.signal.shape} need a mean and a std a channel")
        return self

    @property
    def n_classes(self) -> int:
        return len(self.class_names)


def read_card(path: Path) -> Card:
    """The card in a file. Raises: ArtifactError naming the file and everything wrong with it."""
    raw = read_json(path)
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise ArtifactError(f"{path} is a card of format {str(version)[:40]!r}; this ddbench reads {FORMAT_VERSION}.")
    try:
        return Card.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
        raise ArtifactError(f"{path} is not a valid card: {faults}.") from error
