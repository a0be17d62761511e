"""DSA, the field's augmentation: exactly one operation family a draw; drawn first, applied to any batches after.

Drawing and applying are apart so that draws come from a CPU generator on every device, and so that real and synthetic
batches can share one draw (Siamese). Source: protocols.md §3.1; Zhao & Bilen 2021 (arXiv 2102.08259).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench.augment.known import known
from ddbench.errors import SpecError, did_you_mean

DRAWS = 3
"""Uniform numbers a row: as many as the hungriest family takes."""
AHEAD = 64
"""Draws that a stream makes at once."""
MASKED = "masked"
"""Before the families of a strategy: the last channel is a mask, which stays, and what it hides stays 0."""


@dataclass(frozen=True)
class Group:
    """Rows that share an operation family. `rows` None: all of them, in order."""

    family: str
    rows: Int[Tensor, " g"] | None
    u: Float[Tensor, "g 3"]


@dataclass(frozen=True)
class Draw:
    """One draw ω for each of `rows` rows: its operation family and three uniform numbers. No groups: the identity."""

    rows: int
    groups: tuple[Group, ...]
    masked: bool = False


def families(strategy: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The operation families of a strategy such as 'color_crop_cutout_flip_scale_rotate'; none for ''.

    Raises: SpecError where a family is unknown or has no meaning on signals of `shape`.
    """
    names = tuple(strategy.split("_")) if strategy else ()
    if masked := is_masked(strategy):
        names = names[1:]
    there = known()
    if unknown := [n for n in names if n not in there]:
        raise SpecError(
            f"The augmentation {strategy!r} has the unknown operation {unknown[0]!r}. {did_you_mean(unknown[0], there)}"
        )
    fitting = [n for n, f in there.items() if len(shape) - 1 in f.axes and (f.in_place or not masked)]
    if refused := [n for n in names if n not in fitting]:
        taken = "_".join(fitting)
        advice = f"'{taken}'" if taken else "none: give ''"
        raise SpecError(
            f"The augmentation {strategy!r} asks for {', '.join(refused)}, which has no meaning on "
            f"{'masked ' * masked}signals of shape {shape}. They take {advice}."
        )
    return names


def is_masked(strategy: str) -> bool:
    return strategy.partition("_")[0] == MASKED


def draw(strategy: str, shape: tuple[int, ...], rows: int, generator: Generator, *, per_row_op: bool) -> Draw:
    """One ω for each row: the operation family too (`per_row_op`, a row is a class), or one family for all rows.

    Raises: SpecError where the strategy does not fit the shape.
    """
    names = families(strategy, shape)
    if not names:
        return Draw(rows, ())
    choice = torch.randint(len(names), (rows if per_row_op else 1,), generator=generator)
    u = torch.rand(rows, DRAWS, generator=generator)
    if not per_row_op:
        return Draw(rows, (Group(names[int(choice)], None, u),), is_masked(strategy))
    groups = []
    for k in choice.unique().tolist():
        members = (choice == k).nonzero().flatten()
        groups.append(Group(names[k], members, u[members]))
    return Draw(rows, tuple(groups), is_masked(strategy))


def stream(
    strategy: str, shape: tuple[int, ...], rows: int, generator: Generator, device: str | torch.device = "cpu"
) -> Iterator[Draw]:
    """Draws without end, one family and one ω a row each (`per_row_op=False`), made and moved many at once.

    Raises: SpecError, at the first draw, where the strategy does not fit the shape.
    """
    names = families(strategy, shape)
    while True:
        if not names:
            yield Draw(rows, ())
            continue
        choice = torch.randint(len(names), (AHEAD,), generator=generator).tolist()
        for k, u in zip(choice, torch.rand(AHEAD, rows, DRAWS, generator=generator).to(device).unbind()):
            yield Draw(rows, (Group(names[k], None, u),), is_masked(strategy))


def apply(draw: Draw, x: Float[Tensor, "r n *shape"]) -> Float[Tensor, "r n *shape"]:
    """x with row r's ω applied to all its n items. Differentiable in x. For fewer rows than drawn, the first draws."""
    if not draw.groups:
        return x
    if not draw.masked:
        return _applied(draw, x)
    mask = x[:, :, -1:]
    return torch.cat([_applied(draw, x[:, :, :-1]) * mask, mask], 2)


def _applied(draw: Draw, x: Tensor) -> Tensor:
    first = draw.groups[0]
    if first.rows is None:
        return known()[first.family].transform(x, first.u[: len(x)].to(x.device))
    if len(x) != draw.rows:
        raise ValueError(f"{draw.rows} rows were drawn, but the batch has {len(x)}")
    parts, order = [], []
    for group in draw.groups:
        assert group.rows is not None
        rows = x.index_select(0, group.rows.to(x.device)) if len(draw.groups) > 1 else x
        parts.append(known()[group.family].transform(rows, group.u.to(x.device)))
        order.append(group.rows)
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts).index_select(0, torch.cat(order).argsort().to(x.device))
