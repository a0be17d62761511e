"""The room of a planned cell, and what its networks say to the shapes that they would meet; no data are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ddbench import registry
from ddbench.budget import slots
from ddbench.canonical import canonical
from ddbench.cost import cost_of
from ddbench.errors import DdbenchError
from ddbench.interfaces.dataset import DatasetCard
from ddbench.planning.facts import Parts, asked
from ddbench.spec.cell import Cell, Choice

if TYPE_CHECKING:
    from ddbench.interfaces.room import Room


@dataclass(frozen=True)
class Measured:
    """A network on a shape: why it does not take it ('' where it does), and what it is there."""

    refusal: str
    measures: Any = None


def items_of(cell: Cell, parts: Parts) -> int:
    """Items a class of codec's and method's leaves together. Raises: BudgetError where not one fits."""
    return slots(cost_of((*parts.leaves, *parts.extra), cell.storage), parts.card.n_classes, parts.cap_bytes)


def room_of(cell: Cell, parts: Parts) -> Room:
    """What a matcher of the cell may look at. Raises: BudgetError; SpecError where the match network refuses."""
    from ddbench.interfaces.room import Room

    shape = match_shape(cell, parts)
    assert shape is not None, "the pair is defined"
    items, card = items_of(cell, parts), parts.card
    network = measured(cell.network, shape, card.n_classes)
    rarest, train_size = training_items(cell, card)
    values = items * (parts.codec.signals_per_item if cell.space == "signal" else 1)
    return Room(card.n_classes, items, values, shape, network.measures, rarest, train_size)


def match_shape(cell: Cell, parts: Parts) -> tuple[int, ...] | None:
    """Shape of what the match network sees; None where the codec has no fixed-size code leaf of an item."""
    if cell.space == "signal":
        return parts.card.signal.shape
    return code_shape(parts)


def code_shape(parts: Parts) -> tuple[int, ...] | None:
    """Shape of the codec's code leaf; None where it has none, or none of a fixed size for each item."""
    for leaf in parts.leaves:
        if leaf.name == parts.codec.code_leaf and leaf.scope == "item":
            return leaf.shape
    return None


def training_items(cell: Cell, card: DatasetCard) -> tuple[int, int]:
    """(of the rarest class, in all) once a part is held out where the protocol scores on one."""
    if cell.protocol.evaluate_on == "test":
        return card.smallest_class, card.train_size
    from ddbench.data import held_out_size

    return card.smallest_class - held_out_size(card.smallest_class), card.train_size - held_out_size(card.train_size)


def measured(choice: Choice, shape: tuple[int, ...], n_classes: int) -> Measured:
    """What the network says to the shape."""
    return _measured(registry.load("network", choice.name), choice.name, canonical(choice.args), shape, n_classes)


def by_itself(choice: Choice) -> bool:
    """Whether the network is an estimator, which nothing is known of before it is fitted."""
    from ddbench.interfaces.estimator import Estimator

    return issubclass(registry.load("network", choice.name), Estimator)


@lru_cache(maxsize=256)
def _measured(plugin: type[Any], name: str, args: str, shape: tuple[int, ...], n_classes: int) -> Measured:
    from ddbench.interfaces.network import measures

    network = registry.build("network", name, json.loads(args))
    try:
        found = asked(f"The network {name!r}", lambda: measures(network, shape, n_classes))
    except DdbenchError as error:
        return Measured(str(error))
    return Measured("", found)
