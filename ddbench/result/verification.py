"""A verification: what somebody else's students reached on a published set, and whether the claim holds. torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ddbench.canonical import digest
from ddbench.errors import ArtifactError
from ddbench.files import read_json
from ddbench.result.schema import Fraction, Result, StudentRun
from ddbench.spec.cell import Labels, RunColumn, Space

VERIFICATION_VERSION = 1
FOLDER = "verifications"
"""Where a leaderboard keeps those that count; only maintainers change it. One beside a result is the submitter's."""
RUN_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
"""Run ids that may be a part of a file's name."""
Verdict = Literal["agrees", "disagrees", "inconclusive"]
Width = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Comparison(_Record):
    """One figure of the claim beside the same figure of the verifying students."""

    column: RunColumn
    network: str
    labels: Labels
    space: Space
    claimed: Fraction = Field(description="Mean accuracy of the claim's students.")
    found: Fraction = Field(description="Mean accuracy of the verifying students.")
    students_claimed: int = Field(gt=0)
    students_found: int = Field(gt=0)
    half_width: Width = Field(description="Of the prediction interval of the difference found − claimed.")
    verdict: Verdict


class Verification(_Record):
    """Fresh students on the artifact of one result, compared with what the result claims."""

    verification_version: Literal[1] = VERIFICATION_VERSION
    key: str = Field(pattern="^[0-9a-f]{64}$")
    run_id: str = Field(pattern=RUN_ID)
    claim: str = Field(pattern="^[0-9a-f]{64}$", description="`claim_digest` of the result that was verified.")
    sha256: str | None = Field(
        description="Digest of the artifact's tensor file; null for the ceiling, which has none."
    )
    independent: bool = Field(description="Whether the students' random streams are others than the claim's.")
    confidence: float = Field(gt=0, lt=1, description="Of all comparisons together.")
    comparisons: tuple[Comparison, ...] = Field(min_length=1)
    runs: tuple[StudentRun, ...] = Field(min_length=1, description="The verifying students.")
    verdict: Verdict
    ddbench: str = Field(description="Version that verified.")
    device: str
    by: str = Field(min_length=1, description="Who verified.")
    started: str = Field(description="UTC, ISO 8601.")
    finished: str

    @model_validator(mode="after")
    def _sums_up(self) -> Verification:
        if self.verdict != summed_up([c.verdict for c in self.comparisons]):
            raise ValueError(f"the verdict {self.verdict!r} is not what its comparisons come to")
        return self

    @property
    def file_name(self) -> str:
        """Its name in a leaderboard's folder of verifications."""
        return f"{self.key}-{self.run_id}.json"

    def is_of(self, result: Result) -> bool:
        """Whether it speaks of what the result claims today."""
        return (self.key, self.run_id) == (result.key, result.run_id) and self.claim == claim_digest(result)


def summed_up(verdicts: list[Verdict]) -> Verdict:
    """The verdict on a whole result: one figure that disagrees spoils it, one that says nothing leaves it open."""
    if "disagrees" in verdicts:
        return "disagrees"
    return "inconclusive" if "inconclusive" in verdicts else "agrees"


def claim_digest(result: Result) -> str:
    """SHA-256 of what a result claims: its identity, its set, its bytes, which items each student got right."""
    runs = [[r.column, r.network, r.labels, r.space, r.student, r.n_test, r.correct] for r in result.runs]
    stored = None if result.bytes is None else [result.bytes.used, result.bytes.parts]
    artifact = None if result.artifact is None else result.artifact.sha256
    return digest([result.key, result.run_id, artifact, stored, runs])


def read_verification(path: Path) -> Verification:
    """The verification in a file. Raises: ArtifactError naming the file and everything wrong with it."""
    data = read_json(path)
    version = data.get("verification_version") if isinstance(data, dict) else None
    if version != VERIFICATION_VERSION or isinstance(version, bool):
        raise ArtifactError(
            f"{path} is a verification of version {version!r}; this ddbench reads {VERIFICATION_VERSION}."
        )
    try:
        return Verification.model_validate(data)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'verification'}: {e['msg']}" for e in error.errors())
        raise ArtifactError(f"{path} is not a valid verification: {found}.") from error
