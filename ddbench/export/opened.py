"""A set of ddbench read and decoded: signals as students see them, their labels, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor

from ddbench import registry
from ddbench.artifact.distilled import DistilledSet
from ddbench.data import load
from ddbench.errors import ArtifactError, DdbenchError
from ddbench.imported.own import Own, read_own
from ddbench.imported.read import is_ours
from ddbench.interfaces.dataset import DatasetCard
from ddbench.planning.facts import card_of
from ddbench.run.cell import complete, fit_on
from ddbench.spec.cell import Choice


@dataclass(frozen=True)
class Opened:
    """A decoded set. Its labels are those of its signals: one item may give several."""

    own: Own
    x: Float[Tensor, "p *shape"]
    """Normalised signals, in the order in which they decode."""
    y: Int[Tensor, " p"]
    soft: Float[Tensor, "p k"] | None
    """Probabilities, where the set stores soft labels and its cell, beside it, says what they are."""

    @property
    def stored(self) -> DistilledSet:
        return self.own.stored

    @property
    def raw(self) -> Float[Tensor, "p *shape"]:
        """The signals in raw units, not clipped."""
        return self.stored.card.signal.denormalise(self.x)

    @property
    def dataset(self) -> Choice:
        """The dataset that the set is of; of one without a cell, by its name alone."""
        return self.own.cell.dataset if self.own.cell else Choice(name=self.stored.card.dataset)


def opened(path: Path) -> Opened:
    """The set at a path. Raises: ArtifactError where there is none, or it is not sound; DataError, SpecError where its
    codec fits something again on the dataset and that is not here.
    """
    if not is_ours(path):
        raise ArtifactError(
            f"{path} is no set of ddbench: it has no distilled.json. Give the folder of a cell, or of a set."
        )
    own = read_own(path)
    stored = _whole(own)
    x, source = stored.decode_items()
    soft = None
    if own.cell is not None:
        method = registry.build("method", own.cell.method.name, own.cell.method.args)
        soft = method.own_labels(stored.codes, stored.labels, stored.card.n_classes)
    return Opened(own, x, stored.labels[source], None if soft is None else soft[source])


def source_card(found: Opened) -> DatasetCard | None:
    """What the set's dataset says of itself; None where it is not here."""
    try:
        card = card_of(found.dataset)
    except DdbenchError:
        return None
    return card if card.revision == found.stored.card.revision else None


def _whole(own: Own) -> DistilledSet:
    """The set with whatever its codec fits again."""
    stored, card = own.stored, own.stored.card
    if not stored.lacking:
        return stored
    if own.cell is not None:
        return complete(own.cell, stored)
    choice = Choice(name=card.dataset)
    data = load(registry.build("dataset", choice.name), card.refitted_for or "test")
    if data.card.revision != card.revision:
        raise ArtifactError(f"{stored.file} is of revision {card.revision}; {choice} is here in another.")
    return stored.completed(fit_on(choice, data.evaluate_on, card.codec, stored.codec(), data))
