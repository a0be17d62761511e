"""The lines of a report before anything is measured: codecs × storage types, and which codecs do not take the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ddbench import registry
from ddbench.budget import Budget
from ddbench.canonical import digest
from ddbench.codec_report.asked import Asked
from ddbench.codec_report.room import cap_of
from ddbench.codec_report.schema import Without
from ddbench.errors import DdbenchError
from ddbench.interfaces.codec import Codec, Target
from ddbench.interfaces.dataset import DatasetCard
from ddbench.interfaces.lengths import codec_for
from ddbench.leaf import Storage
from ddbench.planning.facts import asked as answered
from ddbench.planning.facts import full_args, version
from ddbench.spec.cell import Choice
from ddbench.spec.labels import arguments

SEMANTICS = "2"
"""Changes whenever a row of the same key would hold other figures."""


@dataclass(frozen=True)
class Line:
    """One codec at one storage type: a row to be measured."""

    codec: Choice
    storage: Storage
    storage_matters: bool
    codec_version: str
    card: DatasetCard
    budget: Budget
    """For which the codec is built."""

    @property
    def label(self) -> str:
        return label(self.codec)

    @property
    def title(self) -> str:
        return f"{self.label}, {self.storage}" if self.storage_matters else self.label

    def build(self, cap_bytes: int | None = None) -> Codec:
        """The codec for a cap, by default the one of its budget. Raises: DdbenchError."""
        cap = cap_of(self.budget, self.card) if cap_bytes is None else cap_bytes
        return built(self.codec, Target(self.card.signal, self.card.n_classes, cap, self.storage, self.card.family))

    def key(self, asked: Asked, revision: str, fit_revision: str, run_on: str) -> str:
        """Names all that the row depends on; `run_on` is device and threads, on which its seconds do."""
        told = asked.model_dump(mode="json", exclude={"codecs", "storages", "budgets"})
        budgets = [budget.model_dump(mode="json") for budget in asked.budgets]
        mine = [self.codec.model_dump(mode="json"), self.codec_version, self.storage]
        return digest([SEMANTICS, told, budgets, mine, revision, fit_revision, run_on])


def lines(asked: Asked, card: DatasetCard, fit_classes: int) -> tuple[list[Line], list[Without], list[DdbenchError]]:
    """(what is measured, what is not and why, the errors behind it).

    One line where no leaf of a codec is written in the storage type.
    """
    found: list[Line] = []
    without: list[Without] = []
    errors: list[DdbenchError] = []
    for choice in asked.codecs or list(_installed(without, errors)):
        try:
            found += _of(choice, asked, card, fit_classes)
        except DdbenchError as error:
            errors.append(error)
            without.append(Without(label=label(choice), why=" ".join(str(error).split()), failed=False))
    return found, without, errors


def label(codec: Choice) -> str:
    return " ".join(p for p in (codec.name, arguments(codec.args)) if p)


def built(choice: Choice, target: Target) -> Codec:
    """The codec for a target. Raises: DdbenchError, PluginError for whatever else it raises."""
    return answered(f"The codec '{choice}'", lambda: codec_for(choice.name, choice.args, target))


def _of(choice: Choice, asked: Asked, card: DatasetCard, fit_classes: int) -> list[Line]:
    found, seen = [], []
    for storage in asked.storages:
        line = Line(choice, storage, True, version("codec", choice), card, asked.budgets[0])
        codec = line.build()
        leaves = answered(f"The codec '{choice}'", lambda codec=codec: tuple(codec.leaves()))
        _check_classes(leaves, card, fit_classes)
        matters = any(leaf.stored_dtype("float32") != leaf.stored_dtype("uint8") for leaf in leaves)
        if matters or not seen:
            found.append(Line(choice, storage, matters, line.codec_version, card, asked.budgets[0]))
        seen.append(storage)
    return found


def _check_classes(leaves: Sequence, card: DatasetCard, fit_classes: int) -> None:
    """Raises: DdbenchError where leaves of classes would be made of another number of classes."""
    of_classes = [leaf.name for leaf in leaves if leaf.scope == "class"]
    if of_classes and fit_classes != card.n_classes:
        raise DdbenchError(
            f"It stores {', '.join(of_classes)} for each class: {card.name!r} has {card.n_classes} classes, the "
            f"dataset of --fit-on {fit_classes}."
        )


def _installed(without: list[Without], errors: list[DdbenchError]) -> Iterator[Choice]:
    """Every installed codec that needs no arguments."""
    for name in registry.names("codec"):
        try:
            yield full_args("codec", Choice(name=name))
        except DdbenchError as error:
            errors.append(error)
            without.append(Without(label=name, why=" ".join(str(error).split()), failed=False))
