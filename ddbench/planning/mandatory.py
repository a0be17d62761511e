"""The rows that every learned row has to stand beside (DESIGN.md §5), and those that a suite lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from ddbench import registry
from ddbench.canonical import canonical
from ddbench.errors import DdbenchError
from ddbench.planning.facts import full_args
from ddbench.planning.pairs import faults_of
from ddbench.spec.cell import Cell, Choice
from ddbench.spec.mandatory import NAMES, absent_beside


def missing_mandatory(cells: Iterable[Cell]) -> list[str]:
    """A sentence for each yardstick that a learned row lacks; empty where tables of these cells are complete.

    The rule is `ddbench.spec.mandatory`'s. Learned is what a matcher makes.
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.budget is not None:
            protocol = cell.protocol.in_signal_space.model_dump(mode="json")
            where = [cell.dataset.model_dump(), cell.budget.model_dump(), protocol]
            groups[canonical(where)].append(cell)
    return list(dict.fromkeys(sentence for group in groups.values() for sentence in _missing(group)))


def _missing(group: list[Cell]) -> list[str]:
    learned = [cell for cell in group if _is_learned(cell)]
    if not learned:
        return []
    at = f"{learned[0].dataset} at {learned[0].budget}"
    found = absent_beside(learned, group, partial(_takes, learned[0]))
    return [f"{at} has learned rows, but no {absent}." for absent in found]


def _is_learned(cell: Cell) -> bool:
    from ddbench.interfaces.method import Matcher

    return issubclass(registry.load("method", cell.method.name), Matcher)


def _takes(beside: Cell, codec: str) -> bool:
    """Whether the codec takes the data of a cell at its budget: it is asked; one that is not installed takes none."""
    try:
        chosen = {
            "codec": full_args("codec", Choice(name=codec)),
            "method": full_args("method", Choice(name=NAMES.random)),
        }
    except DdbenchError:
        return False
    plain = {"space": "signal", "storage": "float32", "protocol": beside.protocol.in_signal_space}
    cell = beside.model_copy(update={**chosen, **plain})
    return not any(fault.axis in ("codec", "budget") for fault in faults_of(cell))
