"""Names in figures of codec reports: short, and joined to their points where they stand apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from ddbench.codec_report.drawing import short_names
from ddbench.codec_report.lines import label
from ddbench.codec_report.placing import Named, place
from ddbench.codec_report.schema import Row
from ddbench.report.figures import figure
from ddbench.spec.cell import Choice


def names_of(*written: Any) -> list[str]:
    codecs = [Choice.model_validate(each) for each in written]
    rows = [cast(Row, SimpleNamespace(label=label(codec), codec=codec)) for codec in codecs]
    return list(short_names(rows).values())


def test_a_codec_is_called_by_what_tells_it_from_others() -> None:
    assert names_of({"dct": {"keep": 0.1}}, "identity", {"dct": {"keep": 0.1}}) == ["dct", "identity"]
    assert names_of({"vq": {"patch": 4, "size": 64}}, {"vq": {"patch": 4, "size": 32}}) == ["vq size=64", "vq size=32"]
    assert names_of({"a": {}}, {"a": {"free": True, "n": None}}) == ["a", "a free=true"]


def test_a_name_that_finds_no_place_beside_its_point_is_joined_to_it() -> None:
    fig = figure(6.0, 4.0)
    ax = fig.subplots()
    ax.plot([1.0], [1.0], "o")
    names = [Named(f"the {n}th of many names", "black", ((1.0, 1.0),)) for n in range(6)]
    place(ax, names)
    assert {text.get_text() for text in ax.texts} == {name.text for name in names}
    joined = [text for text in ax.texts if cast(Any, text).arrow_patch is not None]
    assert 0 < len(joined) < 6
    fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    near = [b for t, b in zip(ax.texts, boxes) if t not in joined]
    at = ax.transData.transform((1.0, 1.0))[1]
    assert all(abs((b.y0 + b.y1) / 2 - at) <= 1.1 * b.height for b in near)
