"""The cells of sets that were made elsewhere, or here: what is evaluated, by which protocol, under which key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from ddbench.artifact.card import Card
from ddbench.budget import FLOAT32_BYTES, Budget, allowed_with_side
from ddbench.canonical import digest
from ddbench.errors import ArtifactError, BudgetError, SpecError
from ddbench.imported.build import Coded
from ddbench.interfaces.codec import Codes, Target
from ddbench.interfaces.dataset import DatasetCard
from ddbench.interfaces.lengths import codec_for
from ddbench.planning.facts import cap_bytes, full_args, version
from ddbench.planning.pairs import student_faults
from ddbench.spec.cell import Cell, Choice, EvaluationProtocol, Origin, Training, Versions
from ddbench.spec.mandatory import NAMES


@dataclass(frozen=True)
class Ready:
    """A cell with the set that it evaluates."""

    cell: Cell
    card: Card
    codes: Codes
    notes: tuple[str, ...] = ()
    files: tuple[bytes, bytes] | None = None
    """Of a set made here: tensor file and card, to be taken over as they are."""
    losses: tuple[tuple[int, float], ...] = ()
    """Of a set made here, as its result has them: they tell learned rows from others."""


@dataclass(frozen=True)
class Wanted:
    """How sets are evaluated."""

    dataset: Choice
    protocol: EvaluationProtocol
    network: Choice
    own_recipe: Training | None = None


def smallest_budget(payload: int, used: int, card: DatasetCard) -> Budget:
    """The fewest whole float32 signals a class whose bytes hold the set: where rows of its size stand."""
    signals = prod(card.signal.bare.shape) * FLOAT32_BYTES * card.n_classes
    n = max(1, ceil(payload / signals))
    return Budget.model_validate({"ipc": n if used <= allowed_with_side(n * signals) else n + 1})


def cells_of(
    sets: Sequence[Coded],
    soft_labels: str,
    wanted: Wanted,
    card: DatasetCard,
    budget: Budget,
    origin: Origin,
    seed: int,
) -> list[Ready]:
    """A cell for each set; several sets (experiments of one method) are the seeds of one row, from `seed` on.

    Raises: SpecError, BudgetError where sets, budget and networks do not go together.
    """
    digests = [one.digest for one in sets]
    whole = digests[0] if len(sets) == 1 else _together(digests)
    if len({one.codec.model_dump_json() for one in sets}) > 1:
        raise ArtifactError("The experiments hold tensors of different types or shapes: evaluate them one by one.")
    method = full_args("method", Choice(name=NAMES.imported, args={"digest": whole, "soft_labels": soft_labels}))
    found = []
    for i, one in enumerate(sets):
        cell = Cell(
            dataset=wanted.dataset,
            codec=one.codec,
            method=method,
            space="signal",
            storage="float32",
            budget=budget,
            network=wanted.network,
            protocol=wanted.protocol,
            seed=seed + i,
            own_recipe=wanted.own_recipe,
            origin=origin,
            versions=versions_of(wanted, one.codec, one.codec_version, method, card.revision),
        )
        cap = cap_bytes(cell, card)
        if one.used_bytes - one.side_bytes > cap or one.used_bytes > allowed_with_side(cap):
            raise BudgetError(
                f"The set takes {one.used_bytes:,} bytes ({one.side_bytes:,} of side information); the budget {budget} "
                f"allows {cap:,}. Give a larger --budget, or leave it out."
            )
        check_students(cell)
        found.append(Ready(cell, card_of(cell, one, card, cap), one.codes))
    return found


def check_students(cell: Cell) -> None:
    """Raises: SpecError where a student network does not take the signals."""
    if faults := student_faults(cell):
        raise SpecError(" ".join(faults))


def versions_of(wanted: Wanted, codec: Choice, codec_version: str, method: Choice, revision: str) -> Versions:
    return Versions(
        dataset=revision,
        codec=codec_version,
        method=version("method", method),
        network=version("network", wanted.network),
        students=tuple(version("network", student) for student in wanted.protocol.networks),
    )


def card_of(cell: Cell, one: Coded, card: DatasetCard, cap: int) -> Card:
    return Card(
        dataset=cell.dataset.name,
        revision=card.revision,
        class_names=card.class_names,
        signal=card.signal,
        codec=one.codec,
        codec_version=one.codec_version,
        family="" if card.family == card.name else card.family,
        storage=cell.storage,
        cap_bytes=cap,
        counts=one.counts,
        leaves=one.leaves,
        refitted_for=cell.protocol.evaluate_on if _refits(cell, card, cap) else None,
        seed=cell.seed,
        sha256="",
    )


def _refits(cell: Cell, card: DatasetCard, cap: int) -> bool:
    target = Target(card.signal, card.n_classes, cap, cell.storage, card.family)
    return bool(codec_for(cell.codec.name, cell.codec.args, target).refitted())


def _together(digests: list[str]) -> str:
    return digest(digests)
