"""Chart and pictures: drawn, of the right things, the same each time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from made_up_results import made_up_cell, made_up_result, quickstart_like
from PIL import Image as Pillow

from ddbench.display import FirstSlice, Image, Series, Spectrogram, TableRow, by_axes
from ddbench.errors import ArtifactError
from ddbench.interfaces.signal import SignalSpec
from ddbench.report import chart as charts
from ddbench.report import picture as pictures
from ddbench.report.figures import figure
from ddbench.report.rows import tables


def test_the_chart_is_a_png_and_repeatable(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        assert charts.chart(quickstart_like(), tmp_path / name) == tmp_path / name
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Pillow.open(tmp_path / "a.png") as image:
        assert image.width > 800


def test_nothing_to_draw_draws_nothing(tmp_path: Path) -> None:
    failed = made_up_result(made_up_cell(), status="failed")
    assert charts.chart([failed], tmp_path / "a.png") is None
    assert charts.chart([made_up_result(made_up_cell(method="full"))], tmp_path / "a.png") is None
    assert not (tmp_path / "a.png").exists()


def test_rows_of_a_budget_stand_apart_and_within_it() -> None:
    (table,) = tables(quickstart_like())
    rows = [r for r in table.rows if not r.is_ceiling]
    shifts = charts._shifts(table, rows, [3136.0, 31360.0])
    for group in table.groups[:2]:
        found = [shifts[id(r)] for r in group]
        assert len(set(found)) == len(group)
        assert max(found) / min(found) <= 10**0.5


def points(rows: int) -> Any:
    ax = figure(4, 3).add_subplot()
    (table,) = tables(quickstart_like()[: rows or None])
    names = {charts._name(table, r) for r in table.rows}
    looks = {n: "o" for _, n in names}
    charts._panel(ax, table, {c: "#000000" for c, _ in names}, looks)
    return ax, table


def test_points_are_means_in_percent_with_intervals() -> None:
    ax, table = points(0)
    drawn = sorted(float(c.lines[0].get_ydata()[0]) for c in ax.containers)
    means = sorted(100 * r.accuracy(table.scores[0]).mean for r in table.rows if not r.is_ceiling)
    assert drawn == pytest.approx(means)
    assert ax.get_xscale() == "log"
    assert list(ax.get_xticks()) == [3136, 31360]
    assert any("full: 85.5 %" in t.get_text() for t in ax.texts)


def test_the_ceiling_is_drawn_though_it_has_only_a_column_of_its_own() -> None:
    results = []
    for result in quickstart_like():
        if result.cell.budget is None:
            own = tuple(r for r in result.runs if r.column == "equal_epochs")
            result = result.model_copy(update={"runs": own})
        results.append(result)
    (table,) = tables(results)
    ceiling = next(r for r in table.rows if r.is_ceiling)
    assert ceiling.accuracy(table.scores[0]) is None
    ax = figure(4, 3).add_subplot()
    charts._ceiling(ax, table, table.scores[0])
    expected = ceiling.accuracy(("equal_epochs", "auto"))
    assert expected is not None
    assert [text.get_text() for text in ax.texts] == [f"full: {100 * expected.mean:.1f} %"]
    assert len(ax.lines) == 1


@pytest.mark.parametrize(
    ("shape", "kind"), [((7,), TableRow), ((2, 9), Series), ((1, 4, 4), Image), ((3, 2, 4, 4), FirstSlice)]
)
def test_the_renderer_follows_the_number_of_axes(shape: tuple[int, ...], kind: type) -> None:
    spec = SignalSpec(shape, (0.0,) * shape[0], (1.0,) * shape[0])
    raw = torch.linspace(-1, 1, 2 * torch.Size(shape).numel()).reshape(2, *shape)
    draw = by_axes(spec, raw)
    assert type(draw) is kind
    ax = figure(2, 2).add_subplot()
    for i in range(2):
        draw(ax, raw[i], i * draw.width, 0)
    if kind is Series:
        drawn = ax.lines[2].get_ydata()
        assert drawn == pytest.approx((0.94 - 0.94 * (raw[1, 0] + 1) / 2).numpy(), abs=1e-6)
    else:
        assert [im.get_extent()[0] for im in ax.images] == [0, draw.width]


def test_an_images_pixels_are_the_raw_ones() -> None:
    spec = SignalSpec((1, 2, 2), (0.5,), (0.25,), 0.0, 1.0)
    x = torch.tensor([[[[-2.0, 0.0], [1.0, 9.0]]]])
    raw = pictures.clipped(spec, x)
    assert raw.flatten().tolist() == [0.0, 0.5, 0.75, 1.0]
    ax = figure(2, 2).add_subplot()
    by_axes(spec, raw)(ax, raw[0], 0, 0)
    assert ax.images[0].get_array().flatten().tolist() == [0.0, 0.5, 0.75, 1.0]


def distilled(counts: tuple[int, ...]) -> Any:
    spec = SignalSpec((1, 4, 4), (0.0,), (1.0,), 0.0, 1.0)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    card = SimpleNamespace(
        signal=spec, n_classes=len(counts), class_names=tuple("abcdefghij"), dataset="d", codec="identity"
    )
    return SimpleNamespace(card=card, decode=lambda: (torch.rand(len(labels), 1, 4, 4), labels))


def test_a_picture_shows_a_row_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []
    monkeypatch.setattr(Image, "__call__", lambda self, ax, signal, left, top: drawn.append((left, top)))
    monkeypatch.setattr(pictures, "load", lambda path: distilled((2, 0, 14)))
    out = pictures.picture(tmp_path / "x", tmp_path / "x.png")
    assert out.read_bytes().startswith(b"\x89PNG")
    assert drawn == [(0, 0), (1, 0)] + [(i, 2) for i in range(10)]
    monkeypatch.setattr(pictures, "load", lambda path: distilled((0, 0)))
    with pytest.raises(ArtifactError, match="no signal"):
        pictures.picture(tmp_path / "x", tmp_path / "y.png")


def test_a_masked_series_ends_where_its_mask_does() -> None:
    spec = SignalSpec((2, 5), (0.0, 0.0), (1.0, 1.0), mask=True)
    raw = torch.stack([torch.stack([torch.linspace(0, 4, 5), (torch.arange(5) < n).float()]) for n in (2, 5)])
    for kind in (Series, Spectrogram):
        ax, draw = figure(2, 2).add_subplot(), by_axes(spec, raw, kind)
        assert (draw.low, draw.high) == (0.0, 4.0)
        for i in range(2):
            draw(ax, raw[i], i * draw.width, 0)
        if kind is Series:
            assert [len(line.get_xdata()) for line in ax.lines] == [2, 5]
        else:
            shown = [im.get_array() for im in ax.images]
            assert shown[0].shape == (1, 5)
            assert [int((~s.mask).sum()) if s.mask.any() else s.size for s in shown] == [2, 5]


def test_words_of_a_display_stand_beside_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(Image):
        def words(self, signal: torch.Tensor) -> str:
            return f"mean\n{signal.mean():.2f}"

    monkeypatch.setattr(pictures, "load", lambda path: distilled((2, 0, 1)))
    pictures.picture(tmp_path / "x", tmp_path / "x.png", "a row", display=Told)
    lines = (tmp_path / "x.txt").read_text().splitlines()
    assert lines[0] == "a row: 3 signals of 3 classes"
    assert [line for line in lines if line in "abc" and line] == ["a", "b", "c"]
    assert sum(line.startswith("  mean 0.") for line in lines) == 3
    pictures.picture(tmp_path / "x", tmp_path / "y.png")
    assert not (tmp_path / "y.txt").exists()
