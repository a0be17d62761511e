"""A picture of a distilled set: what the file on disk decodes to, a row a class. Imports torch and matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.artifact import DistilledSet, load
from ddbench.display import by_axes
from ddbench.errors import ArtifactError
from ddbench.files import write_atomic
from ddbench.interfaces.display import Display, DisplayOf
from ddbench.interfaces.signal import SignalSpec
from ddbench.report.figures import INK, figure, png

MOST_ITEMS = 10
"""Signals shown of a class."""
MOST_CLASSES = 20
"""Classes shown; the title says how many there are."""
TILE_INCH = 0.62
LABEL_INCH = 1.25
HEAD_INCH = 0.34
LEAST_INCH = 4.6
"""Width that a line of the title needs."""
LETTERS_INCH, LINE_INCH = 15, 0.16
"""Letters of the title that surely fit into an inch, and the height of each line after the first."""


def picture(
    artifact: Path, out: Path, title: str = "",
    complete: Callable[[DistilledSet], DistilledSet] = lambda stored: stored, display: DisplayOf | None = None,
    most_items: int = MOST_ITEMS,
) -> Path:  # fmt: skip
    """Draws a distilled set to a PNG: a row a class, its first signals from left to right. Returns the PNG's path.

    `artifact` is a cell's folder or its tensor file; `title` says what it is, by default dataset and codec; `complete`
    gives a set what its codec does not store; `display` is the dataset's, by default that of the signals' axes. Signals
    are shown as students get them, in raw units, clipped to the range of the data. What the display says of them in
    words stands in a text file beside the PNG. Of each class `most_items` are shown.

    Raises: ArtifactError where the set cannot be read; RunError where `out` cannot be written.
    """
    distilled = complete(load(artifact))
    card = distilled.card
    signals, labels = distilled.decode()
    raw = clipped(card.signal, signals)
    rows = [raw[labels == k][:most_items] for k in range(card.n_classes)][:MOST_CLASSES]
    most = max(map(len, rows), default=0)
    if most == 0:
        raise ArtifactError(f"{artifact} decodes to no signal, so there is nothing to draw.")
    draw = by_axes(card.signal, raw, display)
    shown = f"{len(labels)} signals of {card.n_classes} classes"
    if sum(map(len, rows)) < len(labels):
        shown += f", at most {most_items} of each shown"
    width = max(LABEL_INCH + most * draw.width * TILE_INCH, LEAST_INCH)
    head = textwrap.fill(f"{title or f'{card.dataset}, {card.codec}'}: {shown}", int(width * LETTERS_INCH))
    head_inch = HEAD_INCH + head.count("\n") * LINE_INCH
    height = head_inch + len(rows) * TILE_INCH
    fig = figure(width, height, constrained=False)
    tiles(fig, rows, [_short(name) for name in card.class_names], draw, head_inch=head_inch)
    fig.text(0.02, 1 - 0.5 * head_inch / height, head, fontsize=8, color=INK, va="center")
    write_atomic(out, png(fig))
    if told := listing(rows, card.class_names, draw):
        write_atomic(out.with_suffix(".txt"), f"{head}\n\n{told}")
    return out


def listing(rows: list[Tensor], names: Sequence[str], draw: Display) -> str:
    """What the display says of each signal in words, class by class; '' where it says nothing."""
    said = [[" ".join(words.split()) for signal in signals if (words := draw.words(signal))] for signals in rows]
    if not any(said):
        return ""
    return "\n".join(f"{name}\n" + "".join(f"  {line}\n" for line in lines) for name, lines in zip(names, said))


def clipped(spec: SignalSpec, signals: Float[Tensor, "p *shape"]) -> Float[Tensor, "p *shape"]:
    """Raw signals within the bounds of the data, where it has bounds."""
    raw = spec.denormalise(signals.float())
    if spec.low is None and spec.high is None:
        return raw
    return torch.clamp(raw, spec.low, spec.high)


def tiles(
    fig: Any, rows: list[Tensor], names: Sequence[str], draw: Display, label_inch: float = LABEL_INCH,
    head_inch: float = HEAD_INCH,
) -> None:  # fmt: skip
    """All tiles in one pair of axes, which is many times faster than a pair for each; names of rows on the left."""
    left, bottom = label_inch / fig.get_figwidth(), 1 - head_inch / fig.get_figheight()
    ax = fig.add_axes((left, 0, 1 - left, bottom))
    for k, signals in enumerate(rows):
        ax.text(-0.12, k + 0.5, names[k], ha="right", va="center", fontsize=8, color=INK)
        for i, signal in enumerate(signals):
            draw(ax, signal, i * draw.width, k)
    ax.set_xlim(0, (fig.get_figwidth() - label_inch) / TILE_INCH)
    ax.set_ylim(len(rows), 0)
    ax.axis("off")


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"
