"""The method `imported`: whatever made a set elsewhere, known by the digest of what it made."""

from __future__ import annotations

from typing import Annotated, Literal

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ddbench.interfaces.codec import Codes
from ddbench.interfaces.method import Given
from ddbench.interfaces.plugin import PluginConfig
from ddbench.written import ADDED

LABELS, RATE = "labels", "lr"
"""Leaves beside the codec's: soft labels, and a learned step size."""


class ImportedSetConfig(PluginConfig):
    """Arguments of `imported`."""

    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the tensors and classes that were given.")
    soft_labels: Annotated[Literal["none", "probabilities", "logits"], ADDED] = Field(
        "none", description="What the soft labels are that the set stores."
    )


class ImportedSet(Given):
    """Stands in the rows of sets that were made elsewhere; how they were made is not known here."""

    version = "1"
    source = "ddbench: sets made elsewhere"
    Config = ImportedSetConfig
    config: ImportedSetConfig

    @property
    def stores_labels(self) -> bool:
        return self.config.soft_labels != "none"

    def own_labels(self, codes: Codes, y: Int[Tensor, " m"], n_classes: int) -> Float[Tensor, "m k"] | None:
        if self.config.soft_labels == "none":
            return None
        stored = codes[LABELS]
        assert isinstance(stored, Tensor), "soft labels are a leaf of fixed shape"
        labels = stored.float()
        return labels.softmax(1) if self.config.soft_labels == "logits" else labels / labels.sum(1, keepdim=True)
