"""The record of a codec report, schema 1. torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ddbench.codec_report.asked import Asked
from ddbench.leaf import Storage
from ddbench.result.schema import Bytes, Provenance
from ddbench.spec.cell import Choice

SCHEMA_VERSION = 1
Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stored(_Record):
    """Bytes as they were measured on the stored tensors."""

    per_item: Finite = Field(description="Mean over the measured items, ranges and offsets included.")
    least: Bytes
    most: Bytes
    per_class: Bytes = Field(description="Class leaves, one class.")
    per_set: Bytes = Field(description="Set leaves, once a set.")
    signals_per_item: int = Field(ge=1)
    decoder: Bytes = Field(description="Decoder fitted on other data only: not charged.")
    decoder_training_data: str
    refitted: Bytes = Field(description="Leaves not stored but fitted again on the training set: not charged.")


class Room(_Record):
    """How many items a budget holds."""

    budget: str
    cap_bytes: Bytes = Field(description="Of the whole set.")
    items: tuple[int, ...] | None = Field(description="Of each class; null where the budget holds none.")
    why: str = Field(default="", description="Why it holds none, or no more.")


class Figure(_Record):
    """A measure of reconstruction, its mean over signals."""

    mean: Finite | None = Field(description="Over the signals that are not exact; null where all are.")
    exact: int = Field(ge=0, description="Signals of which the measure is infinite: no error at all (PSNR).")


class Reconstruction(_Record):
    """Held-out signals beside what the storage gave back of them."""

    signals: int = Field(gt=0)
    figures: dict[str, Figure]


class Frechet(_Record):
    """Gaussian Fréchet distance between features of originals and of reconstructions."""

    distance: Finite
    signals: int = Field(description="Sample size of each side; the estimate is biased upwards where it is small.")
    dimensions: int


class Estimate(_Record):
    """One figure a seed, their mean, and half the width of its 95 % interval where there is more than one."""

    mean: Finite
    half_width: Finite | None
    by_seed: dict[int, Finite]


class Cost(_Record):
    """Time and memory of encoding and decoding, warm; storage and file not in it."""

    signals: int
    batch: int = Field(description="Items that are encoded or decoded at once.")
    encode_s_per_1000: Seconds = Field(description="Of 1,000 signals.")
    decode_s_per_1000: Seconds
    encode_peak_bytes: Bytes | None = Field(description="Above what was in use before; null where it cannot be told.")
    decode_peak_bytes: Bytes | None


class Row(_Record):
    """One codec at one storage type."""

    key: str
    label: str
    codec: Choice
    codec_version: str
    package: str
    storage: Storage
    storage_matters: bool = Field(description="False: no leaf is written in the storage type; one row stands for all.")
    stored: Stored
    room: tuple[Room, ...]
    reconstruction: Reconstruction
    cost: Cost
    frechet: Frechet | None = None
    accuracy: Estimate | None = Field(
        default=None, description="Students trained on reconstructions, tested on originals."
    )
    lost: Estimate | None = Field(default=None, description="Accuracy on originals less that, paired by seed.")
    notes: tuple[str, ...] = ()

    @property
    def storage_label(self) -> str:
        return self.storage if self.storage_matters else "own"

    @property
    def title(self) -> str:
        """Codec and storage type."""
        return f"{self.label}, {self.storage}" if self.storage_matters else self.label


class Without(_Record):
    """A codec, or one at a storage type, that has no row, and why."""

    label: str
    why: str
    failed: bool = Field(description="True: it was measured and failed; false: it does not take what was asked.")


class CodecReport(_Record):
    """The whole report."""

    schema_version: Literal[1] = SCHEMA_VERSION
    command: str
    asked: Asked
    revision: str = Field(description="Of the dataset.")
    fit_revision: str = Field(description="Of the dataset on which codecs were fitted.")
    classes: int
    shape: tuple[int, ...]
    held_out: int = Field(description="Held-out signals in all: students are scored on them.")
    measures: dict[str, str] = Field(description="What each measure of reconstruction is.")
    features: str = Field(description="The space of the Fréchet distance; empty without students.")
    originals: Estimate | None = Field(description="Accuracy of students trained on the originals.")
    rows: tuple[Row, ...]
    without: tuple[Without, ...]
    provenance: Provenance
