"""Texts shown: what the bytes say, in small letters in a tile and in full in the listing. Imports torch."""

from __future__ import annotations

import textwrap
from typing import Any

from torch import Tensor

from ddbench.display.tiles import FILL, Tile
from ddbench.interfaces.text import to_texts

COLUMNS, LINES = 34, 5
"""Letters of a line and lines of a tile; the listing has the rest."""
POINTS = 4.5


class Text(Tile):
    """(1, t): the text, its beginning where the tile does not hold it."""

    width = 2.6

    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        lines = textwrap.wrap(self.words(signal), COLUMNS, max_lines=LINES, placeholder=" …")
        told = "\n".join(lines)
        # formulas of TeX are no part of a text: its dollars are dollars
        ax.text(left, top + (1 - FILL), told, fontsize=POINTS, va="top", family="DejaVu Sans", parse_math=False)

    def words(self, signal: Tensor) -> str:
        return to_texts(self.spec.normalise(signal)[None])[0]
