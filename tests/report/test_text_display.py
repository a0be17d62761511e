"""Texts in pictures and listings."""

from __future__ import annotations

import torch

from ddbench.display.texts import LINES, Text
from ddbench.interfaces.text import text_signal, to_raw
from ddbench.report.figures import figure, png


def test_a_text_is_shown_as_what_it_says():
    spec = text_signal(400)
    said = ["It costs $5 or $6, or \\frac{1}{2}.", "very " * 79]
    raw = to_raw(said, 400).float() / 255
    show = Text(spec, raw)
    assert [show.words(signal) for signal in raw] == [text.rstrip() for text in said]
    fig = figure(4, 2)
    ax = fig.add_subplot()
    for i, signal in enumerate(raw):
        show(ax, signal, 0, i)
    short, long = (t.get_text() for t in ax.texts)
    assert short == said[0]
    assert len(long.splitlines()) == LINES
    assert long.endswith("…")
    assert png(fig)
    assert show.words(torch.full((1, 400), 254.6 / 255)) == "\ufffd" * 400
