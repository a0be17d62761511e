"""Coordinates of cells as a reader names them, by the rules that suites have for `exclude` and `when`. torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import index
from typing import Any

from pydantic import ValidationError

from ddbench.errors import SpecError, did_you_mean
from ddbench.spec.cell import Cell
from ddbench.spec.combine import alike
from ddbench.spec.suite import AXES, Match


def matcher(coordinates: Mapping[str, Any]) -> Callable[[Cell], bool]:
    """Whether a cell has all of the coordinates; `budget` may be a label (`1 ipc`), or None for ceilings.

    Raises: SpecError naming each that is not a coordinate.
    """
    unknown = [name for name in coordinates if name not in AXES]
    if unknown:
        raise SpecError(" ".join(f"There is no coordinate {n!r}. {did_you_mean(n, AXES)}" for n in unknown))
    budgets = [v for v in _listed(coordinates.get("budget", ())) if v is None or isinstance(v, str)]
    try:
        match = Match.model_validate({axis: _given(axis, value) for axis, value in coordinates.items()})
    except ValidationError as error:
        said = "; ".join(f"{e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        raise SpecError(f"Coordinates are named as in a suite: {said}.") from error

    def has(cell: Cell, axis: str) -> bool:
        if axis == "budget" and (cell.budget if cell.budget is None else str(cell.budget)) in budgets:
            return True
        return any(alike(wanted, getattr(cell, axis)) for wanted in getattr(match, axis))

    return lambda cell: all(has(cell, axis) for axis in coordinates)


def _given(axis: str, value: Any) -> list[Any]:
    """What the suite's own rules know of a coordinate: not a budget's label (`1 ipc`), nor its absence (a ceiling)."""
    if axis == "budget":
        return [v for v in _listed(value) if v is not None and not isinstance(v, str)]
    # a seed out of a data frame is a number of numpy's
    return [index(v) if axis == "seed" and hasattr(v, "__index__") else v for v in _listed(value)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set) else [value]
