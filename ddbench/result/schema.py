"""The result of a cell, schema 1: the versioned, typed record from which every table is made. torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ddbench.result.bits import n_right as n_right
from ddbench.result.bits import pack_bits as pack_bits
from ddbench.result.bits import unpack_bits as unpack_bits
from ddbench.spec.cell import Cell, Labels, RunColumn, Space
from ddbench.written import ADDED, without_added

SCHEMA_VERSION = 1
UNDISCLOSED = "not stated"
"""What a decoder's training data are called where nothing says what they were."""

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0)]
Status = Literal["ok", "failed", "out_of_memory", "diverged"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StorageReport(_Record):
    """What the set costs, measured on the written tensors."""

    allowed: Bytes | None = Field(description="Cap on the whole set; null for the ceiling, which is exempt.")
    used: Bytes = Field(description="Tensor payload of the file, elements × item size, everything counted.")
    parts: dict[str, Bytes] = Field(description="Bytes by tensor.")
    side: Bytes = Field(description="Of `used`, side information: masks, ranges, offsets, step size, soft labels.")
    over_cap: Bytes = Field(description="Bytes over the cap, allowed for side information only (at most 2 %).")
    decoder: Bytes = Field(description="Decoder fitted on other data only: reported, not charged.")
    decoder_training_data: str = ""
    refitted: Annotated[Bytes, ADDED] = Field(
        default=0,
        description="Leaves that are not stored but fitted again on the training set whenever the set is read: "
        "reported, not charged; such rows are not ranked.",
    )
    free_in_domain: Annotated[Bytes, ADDED] = Field(
        default=0,
        description="Of `decoder`, what was trained on the dataset itself and yet is not charged, since the suite lets "
        "it go free; such rows are not ranked.",
    )
    items: tuple[int, ...] = Field(description="Stored items of each class.")
    signals: tuple[int, ...] = Field(description="Decoded signals of each class.")

    _without_added = without_added


class StudentRun(_Record):
    """One student: trained once, tested once, at its last update."""

    column: RunColumn
    network: str
    labels: Annotated[Labels, ADDED] = Field("hard", description="own: trained on the soft labels that the set stores.")
    student: int = Field(
        ge=0, description="Index of the student; equal indices share their random streams across methods."
    )
    accuracy: Fraction
    n_test: int = Field(gt=0)
    correct: str = Field(description="Per-item correctness in test order: bits, most significant first, base64.")
    steps: int = Field(ge=0, description="Updates of the student.")
    samples_seen: int = Field(ge=0)
    train_loss: float | None = Field(None, description="Mean loss of the last epoch; null where it was not finite.")
    space: Annotated[Space, ADDED] = Field(
        "signal",
        description="signal: the student saw decoded signals; code: standardised codes, in training and test.",
    )

    _without_added = without_added


class Phase(_Record):
    """A part of the cell's work; seconds add up over interrupted runs."""

    name: str
    seconds: Seconds
    host_peak_bytes: Bytes = Field(description="Peak resident memory of the process in the phase (Linux; else so far).")
    device_peak_bytes: Bytes = Field(description="Peak memory allocated on the accelerator in the phase; 0 on the CPU.")


class Provenance(_Record):
    """Where and with what the result was made; not part of the key."""

    ddbench: str
    python: str
    packages: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    plugins: dict[str, str] = Field(description="Package that provided each plug-in, with its version.")
    platform: str
    processor: str
    device: str
    driver: str | None
    threads: int
    started: str = Field(description="UTC, ISO 8601.")
    finished: str


class Failure(_Record):
    kind: str
    message: str
    phase: str
    traceback: str = ""


class Artifact(_Record):
    file: str = Field(description="File name beside the result.")
    sha256: str


# No `_Record`, of which a result with a hundred losses would take longer to read.
@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class LossPoint:
    """A matching loss along the way."""

    step: int
    loss: float


class Result(_Record):
    """One run of one cell. Its identity is `key` + `run_id`: results of one key are replications."""

    schema_version: Literal[1] = SCHEMA_VERSION
    key: str = Field(pattern="^[0-9a-f]{64}$")
    run_id: str
    status: Status
    cell: Cell
    bytes: StorageReport | None
    runs: tuple[StudentRun, ...]
    losses: tuple[LossPoint, ...] = Field((), description="Matching loss along the way, thinned.")
    phases: tuple[Phase, ...]
    artifact: Artifact | None
    notes: tuple[str, ...] = Field(
        (), description="What a reader must know: rounding, side information over the cap, …"
    )
    provenance: Provenance
    error: Failure | None = None
