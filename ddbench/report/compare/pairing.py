"""Which row of A goes with which row of B: same dataset, budget and protocol, and alike in all that does not set A and
B apart. torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ddbench.canonical import canonical, digest
from ddbench.errors import SpecError
from ddbench.report.compare.selection import Sides, row_label
from ddbench.result.schema import Result
from ddbench.spec.cell import Cell
from ddbench.spec.labels import codec_label

MAIN = ("codec", "method", "space", "storage", "network")
"""What two rows of one table may differ in, arguments and versions apart."""
DETAILS = ("codec arguments", "codec version", "method arguments", "method version", "network arguments",
           "network version")  # fmt: skip


@dataclass(frozen=True)
class CompareRow:
    """The results of one cell but for its seed, those that are sound; replications of a seed stand side by side."""

    cell: Cell
    by_seed: dict[int, tuple[Result, ...]]

    @property
    def title(self) -> str:
        """The cells' title less the seed, with the arguments of the codec."""
        return f"{self._place} · {codec_label(self.cell)} × {self.cell.method} ({self.cell.space})"

    @property
    def label(self) -> str:
        """The title with the arguments of method and match network."""
        return f"{self._place} · {row_label(self.cell)}"

    @property
    def _place(self) -> str:
        budget = "no budget" if self.cell.budget is None else str(self.cell.budget)
        return f"{self.cell.dataset_label} · {budget}"


@dataclass(frozen=True)
class Pair:
    a: CompareRow
    b: CompareRow


@dataclass
class Pool:
    """Pairs of rows that may be pooled: one protocol, one version of each plug-in on each side."""

    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)


@dataclass(frozen=True)
class Matched:
    pools: tuple[Pool, ...]
    alone: tuple[str, ...]
    """A sentence for each row, and each failed cell, that has no partner."""


def match(sides: Sides) -> Matched:
    """Pairs rows of A with rows of B.

    A coordinate of `MAIN` in which A and B have no value in common is what sets them apart, and may differ in a pair;
    in every other one, a pair agrees. Arguments and versions are looked at likewise, among the rows of one dataset and
    budget that have the same codec, method, or match network.

    Raises: SpecError where a row has several partners, or no row has one.
    """
    a, b = rows(sides.a), rows(sides.b)
    free = {n for n in MAIN if not {_main(r.cell)[n] for r in a} & {_main(r.cell)[n] for r in b}}
    blocks: dict[str, tuple[list[CompareRow], list[CompareRow]]] = defaultdict(lambda: ([], []))
    for at, side in enumerate((a, b)):
        for row in side:
            blocks[block(row.cell)][at].append(row)
    pairs = [pair for left, right in blocks.values() for pair in _pairs(left, right, free)]
    alone = _alone("A", a, [p.a for p in pairs], b) + _alone("B", b, [p.b for p in pairs], a)
    if not pairs:
        why = " ".join(alone[:4]) or "All cells of one side failed."
        raise SpecError(f"No row of {sides.a_name!r} has a partner in {sides.b_name!r}. {why}")
    return Matched(tuple(_pools(pairs)), (*alone, *_failed("A", sides.a), *_failed("B", sides.b)))


def rows(results: Iterable[Result]) -> list[CompareRow]:
    """Sound results, grouped by what their key depends on, less the seed and whether students saw codes too."""
    groups: dict[str, dict[int, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.status == "ok":
            groups[_unseeded(result.cell)][result.cell.seed].append(result)
    return [
        CompareRow(next(iter(seeds.values()))[0].cell, {s: tuple(seeds[s]) for s in sorted(seeds)})
        for _, seeds in sorted(groups.items())
    ]


def _unseeded(cell: Cell) -> str:
    return cell.model_copy(update={"protocol": cell.protocol.in_signal_space}).unseeded


def block(cell: Cell) -> str:
    """What both rows of a pair have: dataset, budget, protocol, and the versions of all that scores them."""
    budget = cell.budget and cell.budget.model_dump()
    return canonical([cell.dataset.model_dump(), cell.versions.dataset, budget, scored_by(cell)])


def scored_by(cell: Cell) -> str:
    """The protocol and the versions of students and framework: never mixed, not even between cells that are pooled."""
    protocol = cell.protocol.in_signal_space.model_dump(mode="json")
    return digest([protocol, cell.versions.students, cell.versions.semantics])


def _main(cell: Cell) -> dict[str, str]:
    return {
        "codec": cell.codec.name,
        "method": cell.method.name,
        "space": cell.space,
        "storage": str(cell.storage),
        "network": cell.network.name,
    }


def details(cell: Cell) -> dict[str, str]:
    """Values of `DETAILS`."""
    found = {}
    for kind, choice in (("codec", cell.codec), ("method", cell.method), ("network", cell.network)):
        found[f"{kind} arguments"] = canonical(choice.args)
        found[f"{kind} version"] = getattr(cell.versions, kind)
    return found


def _pairs(left: Sequence[CompareRow], right: Sequence[CompareRow], free: set[str]) -> list[Pair]:
    fixed = [n for n in MAIN if n not in free]
    groups: dict[tuple[str, ...], tuple[list[CompareRow], list[CompareRow]]] = defaultdict(lambda: ([], []))
    for at, side in enumerate((left, right)):
        for row in side:
            groups[tuple(_main(row.cell)[n] for n in fixed)][at].append(row)
    found = []
    for a, b in groups.values():
        same = [n for n in DETAILS if {details(r.cell)[n] for r in a} & {details(r.cell)[n] for r in b}]
        # an argument of a codec says nothing where the codec itself is what differs
        same = [n for n in same if n.split()[0] not in free]
        for row in a:
            partners = [r for r in b if all(details(r.cell)[n] == details(row.cell)[n] for n in same)]
            rivals = [
                r for r in a if partners and all(details(r.cell)[n] == details(partners[0].cell)[n] for n in same)
            ]
            _refuse_several(row, "B", partners)
            if partners:
                _refuse_several(partners[0], "A", rivals)
                found.append(Pair(row, partners[0]))
    return found


def _refuse_several(row: CompareRow, side: str, partners: Sequence[CompareRow]) -> None:
    if len(partners) > 1 and partners[0].label == partners[1].label:
        raise SpecError(
            f"{row.label!r} could go with {len(partners)} rows of {side} that differ in the versions of their plug-ins "
            "alone. Keep one version in a folder, and compare the folders."
        )
    if len(partners) > 1:
        raise SpecError(
            f"{row.label!r} could go with {len(partners)} rows of {side}: {partners[0].label!r} and "
            f"{partners[1].label!r}. Narrow {side}, for example with an argument after a comma: 'dct × dm, keep=0.125'."
        )


def _alone(
    side: str, own: Sequence[CompareRow], paired: Sequence[CompareRow], others: Sequence[CompareRow]
) -> list[str]:
    taken = {id(row) for row in paired}
    return [f"{side}: {row.title} has no partner: {_why(row, others)}." for row in own if id(row) not in taken]


def _why(row: CompareRow, others: Sequence[CompareRow]) -> str:
    other = "the other side"
    near = [r.cell for r in others if r.cell.dataset == row.cell.dataset]
    if not near:
        return f"{other} has nothing on {row.cell.dataset_label}"
    if all(c.versions.dataset != row.cell.versions.dataset for c in near):
        return f"{other} has another version of {row.cell.dataset_label}"
    near = [c for c in near if c.budget == row.cell.budget]
    if not near:
        return f"{other} has nothing at this budget"
    if all(c.protocol.in_signal_space != row.cell.protocol.in_signal_space for c in near):
        names = sorted({c.protocol.name for c in near})
        return f"{other} has another protocol ({', '.join(names)} against {row.cell.protocol.name})"
    if all(block(c) != block(row.cell) for c in near):
        return f"{other} has other versions of its students or of the framework"
    return f"no row of {other} agrees with it in what both sides share"


def _failed(side: str, results: Iterable[Result]) -> list[str]:
    return [f"{side}: {r.cell.title} failed ({r.status})." for r in results if r.status != "ok"]


def _pools(pairs: Sequence[Pair]) -> list[Pool]:
    """Pairs dealt out so that nothing in a pool has two protocols, or on one side two versions."""
    pools: list[Pool] = []
    for pair in pairs:
        versions = {("both", "scored by"): scored_by(pair.a.cell)}
        for side, cell in (("A", pair.a.cell), ("B", pair.b.cell)):
            for kind in ("codec", "method", "network"):
                # behind the plus stands what a version has from the arguments
                name, version = getattr(cell, kind).name, getattr(cell.versions, kind).partition("+")[0]
                versions[side, f"{kind} {name}"] = version
        pool = next((p for p in pools if all(p.versions.get(k, v) == v for k, v in versions.items())), None)
        if pool is None:
            pools.append(pool := Pool())
        pool.versions |= versions
        pool.pairs.append(pair)
    return pools
