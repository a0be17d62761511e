"""What is asked of a table: which rows and columns, how laid out, what beside them. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import SpecError, did_you_mean
from ddbench.report.dimensions import APART, DIMENSIONS, LAYABLE
from ddbench.report.published import Figure, published

SORTS = ("accuracy", "bytes", "items", "seconds")
"""What rows may be sorted by, beside the dimensions."""


@dataclass(frozen=True)
class View:
    """Everything that `ddbench table` can be asked for; by default the whole table, a line for each row."""

    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(dimension, values): a row is shown that has one of the values in every dimension named."""
    rows: tuple[str, ...] = ()
    """Dimensions that lead the lines of a pivot; none for the long form."""
    cols: tuple[str, ...] = ()
    sort: str | None = None
    """A dimension or one of SORTS; a leading minus turns the order round."""
    decimals: int = 1
    scores: bool = False
    """Whether gains over `random`, recovery and the area under accuracy against log-bytes are shown."""
    dd_ranking: bool = False
    """Whether LRS and ARS of DD-Ranking are shown."""
    reported: tuple[Figure, ...] = ()
    """Published figures to show beside."""

    @property
    def is_pivot(self) -> bool:
        return bool(self.rows)


def view(
    where: Sequence[str] = (),
    rows: str = "",
    cols: str = "",
    column: str | None = None,
    sort: str | None = None,
    decimals: int = 1,
    scores: bool = False,
    dd_ranking: bool = False,
    reported: Path | bool = False,
) -> View:
    """A view from what a user writes. Raises: SpecError that names every mistake; ArtifactError for `reported`."""
    troubles: list[str] = []
    conditions = [
        c for text in [*where, *([f"column={column}"] if column else [])] if (c := _condition(text, troubles))
    ]
    lead, across = _listed(rows, "--rows", troubles), _listed(cols, "--cols", troubles)
    if across and not lead:
        troubles.append("--cols needs --rows: a pivot has lines too, such as --rows method,codec")
    if twice := [name for i, name in enumerate((*lead, *across)) if name in (*lead, *across)[:i]]:
        troubles.append(f"{', '.join(dict.fromkeys(twice))} given twice in --rows and --cols; keep one")
    if sort is not None:
        _check_sort(sort.removeprefix("-"), lead, troubles)
    if troubles:
        raise SpecError("\n".join(f"{t}." if t[-1] not in ".?" else t for t in troubles))
    figures = published(None if reported is True else reported) if reported else ()
    return View(tuple(conditions), lead, across, sort, decimals, scores, dd_ranking, tuple(figures))


def _condition(text: str, troubles: list[str]) -> tuple[str, tuple[str, ...]] | None:
    name, equals, values = text.partition("=")
    name = name.strip()
    if not equals or not values.strip():
        troubles.append(f"a filter is dimension=value[,value…], such as codec=identity,dct; got {text!r}")
    elif name not in DIMENSIONS:
        troubles.append(f"there is no dimension {name!r}. {did_you_mean(name, DIMENSIONS)}")
    else:
        return name, (values.strip(),)
    return None


def _listed(text: str, option: str, troubles: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name in APART:
            troubles.append(
                f"{option} {name}: figures of different {APART[name]} never stand in one table; filter instead"
            )
        elif name not in LAYABLE:
            troubles.append(f"{option}: there is no dimension {name!r}. {did_you_mean(name, LAYABLE)}")
    return names


def _check_sort(name: str, lead: Sequence[str], troubles: list[str]) -> None:
    known = ("accuracy", *lead) if lead else (*SORTS, *LAYABLE)
    if name not in known:
        why = " a pivot can be sorted by" if lead else " rows can be sorted by"
        troubles.append(f"--sort {name}: not what{why}. {did_you_mean(name, known)}")
