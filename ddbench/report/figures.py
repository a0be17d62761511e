"""Figures without a display: made, styled and turned into PNG bytes the same way everywhere. matplotlib when called."""

from __future__ import annotations

import io
from typing import Any

INK = "#222222"
MUTED = "#777777"
GRID = "#E3E3E3"
DPI = 150


def figure(width: float, height: float, constrained: bool = True) -> Any:
    """A figure of `width` × `height` inches on the Agg canvas, which needs no display and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI, layout="constrained" if constrained else None)
    FigureCanvasAgg(fig)
    return fig


def axes_style(ax: Any) -> None:
    """Two spines, a pale grid behind the data, small ticks."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
    ax.grid(True, axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK, labelsize=9, length=3)


def png(fig: Any) -> bytes:
    """The figure as PNG. Holds no date and no version, so that equal figures are equal bytes."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
