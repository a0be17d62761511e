"""The combinations of a block: the product of its lists, less `exclude`, with `include`. torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from ddbench.budget import Budget
from ddbench.leaf import Storage
from ddbench.spec.cell import Choice, Space
from ddbench.spec.suite import AXES, Block, Match
from ddbench.spec.yaml import Way

MAX_COMBINATIONS = 100_000

Complete = Callable[[str, Choice, Way], "Choice | None"]
"""(axis, entry, its place in the block) → the entry with all its arguments, or None where it is not valid."""


@dataclass(frozen=True)
class Combination:
    """One value of each axis, and the place in the block where each was written."""

    dataset: Choice
    codec: Choice | None
    """None, like the budget, where the block has none (a block of ceilings needs none)."""
    method: Choice
    space: Space
    budget: Budget | None
    storage: Storage
    seed: int
    origin: dict[str, Way] = field(compare=False, default_factory=dict)


def size(block: Block) -> int:
    """How many combinations the block's lists and includes make before any rule."""
    grid = prod(max(1, len(getattr(block, name))) for name in AXES.values())
    added = sum(prod(max(1, len(getattr(rule, axis))) for axis in AXES) for rule in block.include)
    return grid + added


def combinations(block: Block, complete: Complete) -> Iterator[Combination]:
    """The block's combinations in the order of its lists, the included ones last. Invalid entries drop out."""
    grid = {axis: _values(axis, (name,), getattr(block, name), complete) for axis, name in AXES.items()}
    for axis in ("codec", "budget"):
        if not getattr(block, AXES[axis]):
            grid[axis] = [(None, ())]
    for combination in _product(grid):
        if not any(matches(rule, combination) for rule in block.exclude):
            yield combination
    for j, rule in enumerate(block.include):
        yield from _product(
            {
                axis: _values(axis, ("include", j, axis), named, complete) if named else grid[axis][:1]
                for axis in AXES
                for named in [getattr(rule, axis)]
            }
        )


def matches(rule: Match, combination: Combination) -> bool:
    """Whether the combination has, for each axis that the rule names, one of the values named."""
    return all(
        not getattr(rule, axis) or any(alike(wanted, getattr(combination, axis)) for wanted in getattr(rule, axis))
        for axis in AXES
    )


def alike(wanted: Any, have: Any) -> bool:
    """Whether a value is the one named; a plug-in by its name and the arguments given."""
    if isinstance(wanted, Choice) and have is not None:
        missing = object()
        return wanted.name == have.name and all(have.args.get(k, missing) == v for k, v in wanted.args.items())
    return wanted == have


def _values(axis: str, path: Way, entries: tuple[Any, ...], complete: Complete) -> list[tuple[Any, Way]]:
    placed = []
    for i, entry in enumerate(entries):
        value = complete(axis, entry, (*path, i)) if isinstance(entry, Choice) else entry
        if value is not None:
            placed.append((value, (*path, i)))
    return placed


def _product(axes: dict[str, list[tuple[Any, Way]]]) -> Iterator[Combination]:
    names = ("dataset", "budget", "codec", "method", "space", "storage", "seed")
    for values in product(*(axes[name] for name in names)):
        chosen = dict(zip(names, values))
        yield Combination(
            **{name: value for name, (value, _) in chosen.items()},
            origin={name: place for name, (_, place) in chosen.items()},
        )
