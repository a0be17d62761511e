"""How signals are shown where a dataset has no display of its own: by the axes of their shape."""

from __future__ import annotations

from ddbench.display.tiles import FirstSlice, Image, Series, Spectrogram, TableRow, by_axes

__all__ = ["FirstSlice", "Image", "Series", "Spectrogram", "TableRow", "by_axes"]
