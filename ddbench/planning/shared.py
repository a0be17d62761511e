"""What cells share, known before any data are read: data, codec fits, encoded data, what methods prepare (experts)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ddbench.canonical import canonical
from ddbench.planning.facts import Parts, asked, parts_of
from ddbench.planning.room import match_shape, room_of
from ddbench.spec.cell import Cell

ShareKind = Literal["data", "codec", "codes", "prepare"]


@dataclass(frozen=True)
class Share:
    """Work that one or more cells need and that is done once."""

    kind: ShareKind
    cells: tuple[Cell, ...]
    """Those that need it; the first one's code path does it."""


def shared_work(cells: Iterable[Cell]) -> list[Share]:
    """The work that is shared, in an order in which it can be done: of each dataset its data, then what uses them.

    Two shares may turn out to be one only where this cannot be known beforehand; the second then finds the first's.
    Raises: DdbenchError for a cell that `expand` would not have made.
    """
    found: dict[str, dict[str, Share]] = {}
    for cell in cells:
        data = canonical([cell.dataset.model_dump(mode="json"), cell.protocol.evaluate_on])
        for kind, name in _needs(cell):
            group = found.setdefault(data, {})
            before = group[name].cells if name in group else ()
            group[name] = Share(kind, (*before, cell))
    order = ("data", "codec", "codes", "prepare")
    return [share for group in found.values() for share in sorted(group.values(), key=lambda s: order.index(s.kind))]


def entries(cell: Cell, parts: Parts) -> dict[str, int]:
    """Bytes of the cache entries that the cell's method will keep, by a name that cells with the same entry share."""
    from ddbench.interfaces.method import Maker

    if not isinstance(parts.method, Maker) or not parts.method.prepares:
        return {}
    room, method = room_of(cell, parts), parts.method
    told = asked(f"The method '{cell.method}'", lambda: list(method.entries(room)))
    match = canonical(_match(cell, parts)) if told else ""
    return {f"{match} {canonical(coordinates)}": size for coordinates, size in told}


def _needs(cell: Cell) -> Iterator[tuple[ShareKind, str]]:
    """(kind, name) of each share of the cell; cells with the same name share it."""
    yield "data", "data"
    if cell.budget is None:
        return
    from ddbench.interfaces.method import Maker

    parts = parts_of(cell)
    if parts.codec.has_fit:
        yield "codec", canonical(["fit", cell.codec.model_dump(mode="json"), cell.storage, parts.cap_bytes])
    if parts.codec.keeps_encodings and "code" in (cell.space, *cell.protocol.student_spaces):
        yield "codes", canonical(["codes", cell.codec.model_dump(mode="json"), tests_codes(cell)])
    if isinstance(parts.method, Maker) and parts.method.prepares:
        yield "prepare", preparation(cell, parts, entries(cell, parts))


def preparation(cell: Cell, parts: Parts, told: Collection[str]) -> str:
    """What names a method's preparation, whose cache entries `told` are: cells with the same name share it."""
    if told:
        return canonical(["prepare", *sorted(told)])
    whole = canonical(cell.model_dump(mode="json", exclude={"seed", "protocol", "versions"}))
    return f"{whole} {canonical(_match(cell, parts))}"


def tests_codes(cell: Cell) -> bool:
    """Whether students are tested on the encoded held-out set."""
    return "code" in cell.protocol.student_spaces


def _match(cell: Cell, parts: Parts) -> dict[str, Any]:
    """What names the match space: as much as `ddbench.distill.prepare.identity`, as far as it is known, or more."""
    from ddbench.interfaces.codec import Codec

    shape = match_shape(cell, parts)
    seen: dict[str, Any] = {
        "dataset": cell.dataset.model_dump(mode="json"),
        "evaluate_on": cell.protocol.evaluate_on,
        "space": cell.space,
        "shape": list(shape or ()),
        "network": cell.network.model_dump(mode="json"),
    }
    if cell.space == "code":
        seen["codec"] = cell.codec.model_dump(mode="json")
        chosen = type(parts.codec).begin is not Codec.begin
        if chosen or parts.codec.has_fit:
            seen |= {"storage": cell.storage, "cap_bytes": parts.cap_bytes}
        if chosen:  # from the row's own first items
            seen["seed"] = cell.seed
    return seen
