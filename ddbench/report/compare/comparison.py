"""A comparison: the paired difference of a pool of row pairs, cell by cell and over all. torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbench.canonical import canonical
from ddbench.errors import SpecError
from ddbench.report.compare.pairing import DETAILS, CompareRow, Matched, Pair, Pool, block, details, match
from ddbench.report.compare.selection import Sides
from ddbench.report.labels import recipe
from ddbench.report.rows import column_of
from ddbench.result.bits import bit_array
from ddbench.result.schema import StudentRun
from ddbench.spec.cell import OWN_RECIPE, Cell, Labels
from ddbench.spec.labels import arguments
from ddbench.stats import PairedDifference, mean, paired_bootstrap, paired_difference, sampled_half_width

if TYPE_CHECKING:
    import numpy as np

Runs = dict[tuple[str, int], list[StudentRun]]
"""(student network, index) → its runs, several where the cell was run several times."""


@dataclass(frozen=True)
class CellLine:
    """One dataset and budget: what A and B reach over the seeds that both have, and their difference."""

    dataset: str
    budget: str
    a: float
    b: float
    difference: PairedDifference
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """What was found for one pool of pairs; accuracies are fractions."""

    protocol: str
    evaluate_on: str
    column: str
    cells: tuple[CellLine, ...]
    difference: PairedDifference
    half_width_test: float | None
    """Over test images, for these sets and students."""
    bootstrap: tuple[float, float]
    rows: tuple[tuple[str, str], ...]
    apart: tuple[str, ...]
    """What A and B differ in, in words."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    a_name: str
    b_name: str
    found: tuple[Comparison, ...]
    alone: tuple[str, ...]
    unreadable: tuple[str, ...]


@dataclass
class _Unit:
    """Paired students of one cell and seed."""

    a: list[float]
    b: list[float]
    items: list[np.ndarray]


def compare(sides: Sides, column: str, labels: Labels = "hard") -> Compared:
    """Compares A and B in one column. Raises: SpecError where no two students of theirs are a pair."""
    matched = match(sides)
    alone = [*matched.alone]
    found = [c for pool in matched.pools if (c := _comparison(pool, column, labels, alone))]
    if not found:
        raise SpecError(
            f"A and B have no pair of students in the column {column!r} with {labels} labels. {_others(matched, alone)}"
        )
    return Compared(sides.a_name, sides.b_name, tuple(found), tuple(alone), sides.unreadable)


def _comparison(pool: Pool, column: str, labels: Labels, alone: list[str]) -> Comparison | None:
    units: dict[str, dict[int, _Unit]] = defaultdict(dict)
    used: list[Pair] = []
    for pair in pool.pairs:
        seeds = _paired_seeds(pair, column, labels, alone)
        for seed, students in seeds.items():
            unit = units[block(pair.a.cell)].setdefault(seed, _Unit([], [], []))
            for a, b in students:
                unit.a.append(mean([run.accuracy for run in a]))
                unit.b.append(mean([run.accuracy for run in b]))
                unit.items.append(_items(a) - _items(b))
        if seeds:
            used.append(pair)
    if not used:
        return None
    cells = {block(p.a.cell): p.a.cell for p in used}
    pairs = {k: {seed: (u.a, u.b) for seed, u in units[k].items()} for k in cells}
    lines = tuple(
        CellLine(
            cell.dataset_label,
            "none" if cell.budget is None else str(cell.budget),
            mean([mean(a) for a, _ in pairs[k].values()]),
            mean([mean(b) for _, b in pairs[k].values()]),
            paired_difference({k: pairs[k]}),
            tuple(sorted(pairs[k])),
        )
        for k, cell in cells.items()
    )
    first = used[0].a.cell
    of_test_sets: dict[str, Any] = {}
    for k, cell in cells.items():
        part = sum(sum(u.items) / len(u.items) for u in units[k].values()) / len(units[k]) / len(cells)
        name = f"{cell.dataset} {cell.dataset.args} {cell.versions.dataset}"
        of_test_sets[name] = of_test_sets.get(name, 0) + part
    return Comparison(
        protocol=first.protocol.name,
        evaluate_on=first.protocol.evaluate_on,
        column=column,
        cells=lines,
        difference=paired_difference(pairs),
        half_width_test=sampled_half_width(list(of_test_sets.values())),
        bootstrap=paired_bootstrap(pairs),
        rows=tuple((p.a.label, p.b.label) for p in used),
        apart=_apart(used),
        notes=_notes(used) + (_recipes(used) if column == OWN_RECIPE else ()),
    )


def _paired_seeds(
    pair: Pair, column: str, labels: Labels, alone: list[str]
) -> dict[int, list[tuple[list[StudentRun], list[StudentRun]]]]:
    """seed → pairs of students with one network and index; what has no partner is added to `alone`."""
    found = {}
    for seed in sorted(pair.a.by_seed.keys() | pair.b.by_seed.keys()):
        a, b = (_runs(row, seed, column, labels) for row in (pair.a, pair.b))
        common = [key for key in a if key in b and a[key][0].n_test == b[key][0].n_test]
        if common:
            found[seed] = [(a[key], b[key]) for key in common]
        for side, row, own in (("A", pair.a, a), ("B", pair.b, b)):
            left = len(own) - len(common)
            if own and left:
                alone.append(f"{side}: {row.title}, seed {seed}: {left} of {len(own)} students have no partner.")
    return found


def _runs(row: CompareRow, seed: int, column: str, labels: Labels) -> Runs:
    runs: Runs = defaultdict(list)
    for result in row.by_seed.get(seed, ()):
        for run in result.runs:
            if column_of(run.column, run.space) == column and run.labels == labels:
                runs[run.network, run.student].append(run)
    return runs


def _items(runs: Sequence[StudentRun]) -> np.ndarray:
    """float64 `[n_test]`: the share of a student's runs that get each item right."""
    import numpy as np

    return np.stack([bit_array(run.correct, run.n_test) for run in runs]).mean(axis=0, dtype=np.float64)


def _apart(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """What the rows of a pair differ in, most telling first."""
    names: dict[str, None] = {}
    for pair in pairs:
        a, b = pair.a.cell, pair.b.cell
        for name in ("codec", "method", "space", "storage", "network"):
            left, right = (str(getattr(c, name)) for c in (a, b))
            if left != right:
                names[f"{name} {left} against {right}"] = None
        for name in DETAILS:
            kind = name.split()[0]
            if getattr(a, kind).name == getattr(b, kind).name and details(a)[name] != details(b)[name]:
                names[f"{getattr(a, kind).name}: {_detail(name, a, b)} against {_detail(name, b, a)}"] = None
    return tuple(names)


def _detail(name: str, cell: Cell, other: Cell) -> str:
    """A version, or those arguments that the other cell has otherwise."""
    kind, what = name.split()
    if what == "version":
        return f"version {details(cell)[name]}"
    own, its = getattr(cell, kind).args, getattr(other, kind).args
    differing = {k: v for k, v in own.items() if k not in its or canonical(its[k]) != canonical(v)}
    return arguments(differing) or "default"


def _notes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    notes = []
    for side, rows in (("A", [p.a for p in pairs]), ("B", [p.b for p in pairs])):
        stored = [r.bytes for row in rows for runs in row.by_seed.values() for r in runs if r.bytes]
        if any(bytes.refitted or bytes.free_in_domain for bytes in stored):
            notes.append(f"{side} has decoders that were fitted on the dataset and that the budget does not charge.")
    return tuple(notes)


def _recipes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """In the column of own recipes, how students of a pair were trained where that differs."""
    told = dict.fromkeys(
        (recipe(p.a.cell.own_recipe), recipe(p.b.cell.own_recipe))
        for p in pairs
        if p.a.cell.own_recipe and p.b.cell.own_recipe and p.a.cell.own_recipe != p.b.cell.own_recipe
    )
    return tuple(f"Students had recipes of their own, so A − B is of sets and recipes: A {a}; B {b}." for a, b in told)


def _others(matched: Matched, alone: Sequence[str]) -> str:
    """What there is instead of what was asked for."""
    there = {
        f"{column_of(run.column, run.space)} with {run.labels} labels"
        for pool in matched.pools
        for pair in pool.pairs
        for results in pair.a.by_seed.values()
        for result in results
        for run in result.runs
    }
    return f"A has: {', '.join(sorted(there))}. " + " ".join(alone[:3])
