"""The rows that every learned row has to stand beside (DESIGN.md §5): one rule for plans and for tables. torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ddbench.canonical import canonical
from ddbench.spec.cell import Cell
from ddbench.spec.labels import codec_label


@dataclass(frozen=True)
class Names:
    """All that the framework knows by name: the yardsticks that the rule asks for, and what is there by default."""

    random: str = "random"
    identity: str = "identity"
    pictures: str = "jpeg"
    smaller: str = "downsample"
    network: str = "auto"
    imported: str = "imported"
    """Codec and method of sets that were made elsewhere."""


NAMES = Names()


@dataclass(frozen=True)
class Absent:
    """A row that is not there, for some or all seeds of the learned rows that need it."""

    row: str
    seeds: tuple[int, ...]
    is_sure: bool
    """False where nobody knows whether the row's codec takes the data; if it does not, the row is not asked for."""

    def __str__(self) -> str:
        return f"{self.row} for seed {', '.join(map(str, self.seeds))}"


def absent_beside(
    learned: Sequence[Cell], present: Iterable[Cell], takes: Callable[[str], bool | None]
) -> list[Absent]:
    """What `learned` lack among `present`, all of one dataset, budget and protocol; for each of the seeds they have.

    Asked for: `random` with the identity codec; `random` with each row's own codec, arguments and storage, its students
    in every space in which the learned row has some; `random` as JPEG; the down-sampling codec, with any method.
    `takes` says whether the codec of that name takes the data at the budget, None where that is not known: what it does
    not take (sounds as JPEG, a float32 image in the bytes of a small code) is not asked for.
    """
    there = list(present)
    random = [cell for cell in there if cell.method.name == NAMES.random]
    through: dict[str, list[Cell]] = {}
    for cell in random:
        through.setdefault(_codec(cell), []).append(cell)
    by_codec: dict[str, list[Cell]] = {}
    for cell in learned:
        by_codec.setdefault(_codec(cell), []).append(cell)
    every = {cell.seed for cell in learned}
    needed: dict[str, set[int]] = {}
    sure: dict[str, bool] = {}

    def ask(row: str, seeds: set[int], found: Iterable[Cell], known: bool = True) -> None:
        needed[row] = needed.get(row, set()) | (seeds - {cell.seed for cell in found})
        sure[row] = sure.get(row, False) or known

    if (known := takes(NAMES.identity)) is not False:
        ask(f"{NAMES.random} × {NAMES.identity}", every, _with(random, NAMES.identity), bool(known))
    for codec, own in by_codec.items():
        spaces = {space for cell in own for space in cell.protocol.student_spaces}
        beside = [c for c in through.get(codec, []) if spaces <= set(c.protocol.student_spaces)]
        on_codes = " with students on codes" if "code" in spaces else ""
        ask(f"{NAMES.random} × {codec_label(own[0])}{on_codes}", {cell.seed for cell in own}, beside)
    for row, name, rows in (
        (f"{NAMES.random} × {NAMES.pictures}", NAMES.pictures, random),
        (f"row with {NAMES.smaller}", NAMES.smaller, there),
    ):
        if (known := takes(name)) is not False:
            ask(row, every, _with(rows, name), bool(known))
    return [Absent(row, tuple(sorted(seeds)), sure[row]) for row, seeds in needed.items() if seeds]


def _with(cells: Iterable[Cell], codec: str) -> list[Cell]:
    return [cell for cell in cells if cell.codec.name == codec]


def _codec(cell: Cell) -> str:
    return canonical([cell.codec.model_dump(), cell.storage])
