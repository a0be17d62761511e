"""The rows that every learned row has to stand beside (DESIGN.md §5), and those that a suite lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ddbench import registry
from ddbench.canonical import canonical
from ddbench.planning.facts import card_of
from ddbench.spec.cell import Cell


@dataclass(frozen=True)
class Names:
    """All that the framework knows by name: the yardsticks, and the default network."""

    random: str = "random"
    identity: str = "identity"
    pictures: str = "jpeg"
    smaller: str = "downsample"
    network: str = "auto"


NAMES = Names()


def missing_mandatory(cells: Iterable[Cell]) -> list[str]:
    """A sentence for each yardstick that a learned row lacks; empty where tables of these cells are complete.

    Asked for, at each dataset, budget and protocol with a learned row, and for each of its seeds: `random` with the
    identity codec, and `random` with the row's own codec and storage; for images, `random` as JPEG and the
    down-sampling codec (with any method).
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.budget is not None:
            groups[canonical([cell.dataset.model_dump(), cell.budget.model_dump(), cell.protocol.name])].append(cell)
    return [sentence for group in groups.values() for sentence in _missing(group)]


def _missing(group: list[Cell]) -> list[str]:
    learned = [cell for cell in group if _is_learned(cell)]
    if not learned:
        return []
    random = [cell for cell in group if cell.method.name == NAMES.random]
    seeds = {cell.seed for cell in learned}
    wanted = [(f"{NAMES.random} × {NAMES.identity}", seeds, [c for c in random if c.codec.name == NAMES.identity])]
    for codec in dict.fromkeys(_codec(cell) for cell in learned):
        own = [cell for cell in learned if _codec(cell) == codec]
        beside = [cell for cell in random if _codec(cell) == codec]
        wanted.append((f"{NAMES.random} × {own[0].codec}", {cell.seed for cell in own}, beside))
    if _is_image(learned[0]):
        wanted.append(
            (f"{NAMES.random} × {NAMES.pictures}", seeds, [c for c in random if c.codec.name == NAMES.pictures])
        )
        wanted.append((f"row with {NAMES.smaller}", seeds, [c for c in group if c.codec.name == NAMES.smaller]))
    sentences = []
    for row, needed, found in wanted:
        absent = sorted(needed - {cell.seed for cell in found})
        if absent:
            at = f"{learned[0].dataset} at {learned[0].budget}"
            sentences.append(f"{at} has learned rows, but no {row} for seed {', '.join(map(str, absent))}.")
    return list(dict.fromkeys(sentences))


def _codec(cell: Cell) -> str:
    return canonical([cell.codec.model_dump(), cell.storage])


def _is_learned(cell: Cell) -> bool:
    from ddbench.interfaces.method import Matcher

    return issubclass(registry.load("method", cell.method.name), Matcher)


def _is_image(cell: Cell) -> bool:
    shape = card_of(cell.dataset).signal.shape
    return len(shape) == 3 and shape[0] in (1, 3)
