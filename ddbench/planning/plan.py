"""What a suite will cost before it is run: bytes, items a class, room on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

from ddbench.budget import FLOAT32_BYTES, reference_slots
from ddbench.cost import cost_of
from ddbench.planning.facts import Parts, card_of, parts_of
from ddbench.planning.hours import Work, memory_of, seconds, work_of
from ddbench.planning.mandatory import missing_mandatory
from ddbench.planning.room import items_of
from ddbench.planning.shared import entries
from ddbench.spec.cell import Cell

__all__ = ["PlannedCell", "kept_bytes", "missing_mandatory", "plan", "work_s"]

FOLDER_BYTES = 64 * 1024
"""A cell's log, JSON card, and result without the students' bits, generously."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell with what can be said of it beforehand. None where it cannot: the ceiling, items of varying size."""

    cell: Cell
    cap_bytes: int | None
    used_bytes: int | None
    slots: int | None
    """Items a class."""
    n0: int | None
    """Items a class that the float32 identity codec would hold, at least 1: the reference for students' steps."""
    students: int
    """Of all networks, columns, spaces and kinds of labels."""
    disk_bytes: int
    """Most that the cell's folder takes, an estimate."""
    work: Work
    """Operations of its networks and its codec's, from which hours are estimated."""
    memory_bytes: int
    """Peak of its process, roughly."""
    kept: dict[str, int] = field(default_factory=dict)
    """Bytes that the cell's method keeps in the cache (experts), by entry; cells share entries of the same name."""


def plan(cells: Iterable[Cell]) -> list[PlannedCell]:
    """Each cell with its bytes and items. Raises: DdbenchError for a cell that `expand` would not have made."""
    return [_planned(cell) for cell in cells]


def kept_bytes(planned: Iterable[PlannedCell]) -> int:
    """Bytes in the cache, each entry once for all cells that share it; an estimate from above."""
    return sum({name: size for p in planned for name, size in p.kept.items()}.values())


def work_s(planned: Iterable[PlannedCell], flop_s: float) -> float:
    """Seconds of the cells one after the other at so many operations a second; see `hours.seconds`."""
    return seconds((p.work for p in planned), flop_s)


def _planned(cell: Cell) -> PlannedCell:
    if cell.budget is None:
        students = _students(cell, has_labels=False)
        disk, work = FOLDER_BYTES + _bits_bytes(cell, students), work_of(cell, None, None, None)
        return PlannedCell(cell, None, None, None, None, students, disk, work, memory_of(cell, None, None, None))
    parts = parts_of(cell)
    n0 = reference_slots(parts.card.signal.bare.shape, parts.card.n_classes, parts.cap_bytes)
    n, used = _room(cell, parts)
    students = _students(cell, parts.method.stores_labels)
    stored_bytes = parts.cap_bytes if used is None else used
    disk = FOLDER_BYTES + _bits_bytes(cell, students) + stored_bytes + _checkpoint_bytes(parts, n)
    kept = entries(cell, parts)
    work, memory = work_of(cell, parts, n, n0, kept), memory_of(cell, parts, n, n0)
    return PlannedCell(cell, parts.cap_bytes, used, n, n0, students, disk, work, memory, kept)


def _students(cell: Cell, has_labels: bool) -> int:
    protocol = cell.protocol
    kinds = len(protocol.labels_for(has_labels)) * len(protocol.student_spaces)
    return protocol.students * len(protocol.networks) * len(protocol.columns) * kinds


def _room(cell: Cell, parts: Parts) -> tuple[int | None, int | None]:
    """(items a class, bytes of the set); None for items of varying size."""
    from ddbench.interfaces.method import Selector

    if any(leaf.varies for leaf in parts.leaves):
        return None, None
    K, cost = parts.card.n_classes, cost_of((*parts.leaves, *parts.extra), cell.storage)
    n = items_of(cell, parts)
    if isinstance(parts.method, Selector):
        n = min(n, parts.card.smallest_class // parts.codec.signals_per_item)
    return n, cost.total(n * K, K)


def _checkpoint_bytes(parts: Parts, n: int | None) -> int:
    """Learned leaves and their momentum in float32, twice: the checkpoint and the one that replaces it."""
    from ddbench.interfaces.method import Matcher

    if n is None or not isinstance(parts.method, Matcher):
        return 0
    rows = {"item": n * parts.card.n_classes, "class": parts.card.n_classes, "set": 1}
    learned = [leaf for leaf in (*parts.leaves, *parts.extra) if leaf.learned]
    return 4 * FLOAT32_BYTES * sum(rows[leaf.scope] * prod(leaf.shape or ()) for leaf in learned)


def _bits_bytes(cell: Cell, students: int) -> int:
    """Base64 of the students' per-signal correctness, as results keep it twice (students' file and result)."""
    card = card_of(cell.dataset)
    return 2 * students * (4 * -(-card.test_size // 24) + 300)
