"""`ddbench.load`: a distilled set as a torch dataset of decoded items."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from ddbench.errors import SpecError
from ddbench.export.opened import Opened, opened
from ddbench.interfaces.signal import SignalSpec


class DistilledItems(Dataset[tuple[Tensor, Tensor]]):
    """The signals that a distilled set decodes to, each with its label: `(x, y)` by index."""

    x: Float[Tensor, "p *shape"]
    """Float32 signals, normalised as students see them, or raw."""
    classes: Int[Tensor, " p"]
    soft: Float[Tensor, "p k"] | None
    """Probabilities of the soft labels that the set stores; None where it stores none."""

    def __init__(self, found: Opened, raw: bool, soft: bool) -> None:
        card = found.stored.card
        self.x, self.classes, self.soft = (found.raw if raw else found.x), found.y, found.soft
        self.class_names: tuple[str, ...] = card.class_names
        self.codec: str = card.codec.name
        self.dataset: str = card.dataset
        self.bytes: int = found.stored.used_bytes
        """Of the set on disk, everything that the budget counts."""
        self.signal: SignalSpec = card.signal
        self._y = found.soft if soft and found.soft is not None else found.y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """A signal and its class, or its soft label where those were asked for."""
        return self.x[index], self._y[index]

    def __repr__(self) -> str:
        classes = len(self.class_names)
        return f"{len(self)} signals of {classes} classes of {self.dataset}, {self.codec}, {self.bytes:,} bytes"


def load(path: str | PathLike[str], *, raw: bool = False, soft: bool = False) -> DistilledItems:
    """The decoded items of a set of ddbench: the folder of a cell or of a set, or its tensor file.

    Signals are normalised float32, or with `raw` in the dataset's own units ([0, 1] for images). Labels are classes, or
    with `soft` the probabilities that the set stores.

    Raises: ArtifactError where there is no sound set; SpecError where soft labels are asked for and there are none.
    """
    found = opened(Path(path))
    if soft and found.soft is None:
        raise SpecError(f"{path} has no soft labels, or no cell beside it that says what they are. Leave soft out.")
    return DistilledItems(found, raw, soft)
