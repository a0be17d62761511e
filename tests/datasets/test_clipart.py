"""Clip art: classes by folders and links, near-duplicates on one side, a split that the content fixes."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from picture_trees import OTHER, TEN, blots, clipart_tree
from PIL import Image

from ddbench.data import load
from ddbench.datasets import clipart
from ddbench.datasets.clipart import Clipart, ClipartConfig, divided, drawings
from ddbench.datasets.held_out import side_by_content
from ddbench.datasets.near_duplicates import differences, groups, ink, near_any
from ddbench.errors import DataError
from ddbench.registry import contract_faults


@pytest.fixture
def tree(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    return clipart_tree(tmp_path / "openclipart" / "png")


def files(folder: Path, part: clipart.Part) -> dict[str, str]:
    """Class name by file name."""
    names = TEN if part == "ten" else OTHER
    return {d.file: names[d.label] for d in drawings(folder, part)}


def test_the_card_agrees_with_what_is_loaded(tree):
    assert contract_faults("dataset", Clipart) == []
    for part, name in (("ten", "clipart10"), ("other", "clipart10_other")):
        data = load(Clipart(ClipartConfig(size=16, part=part)))
        assert data.card.name == name
        assert data.card.class_names == (TEN if part == "ten" else OTHER)
        K = data.card.n_classes
        assert (data.card.train_size, data.card.test_size, data.card.smallest_class) == (4 * K, K, 4)
        assert data.train.labels.bincount().tolist() == [4] * K


def test_pictures_and_labels_belong_together(tree):
    config = ClipartConfig(size=24)
    train, _ = Clipart(config).load()
    side = Clipart(config).pictures().train
    for i in (0, 7, 39):
        path = side.files[i]
        assert path.relative_to(tree).parts[0] == TEN[int(train.labels[i])]
        with Image.open(path) as picture:
            pixels = np.asarray(picture).astype(int)
        alpha = pixels[..., 3:] / 255
        expected = pixels[..., :3] * alpha + 255 * (1 - alpha)
        np.testing.assert_allclose(train.signals[i].numpy().transpose(1, 2, 0), expected, atol=1)


def test_a_link_gives_a_drawing_of_another_folder_its_target_class(tree):
    sign = blots(tree / "signs_and_symbols" / "stop.png", 77)
    (tree / "transportation" / "stop.png").symlink_to(sign)
    both = blots(tree / "animals" / "fish.png", 78)
    (tree / "food" / "fish.png").symlink_to(both)
    ten, other = files(tree, "ten"), files(tree, "other")
    assert ten["signs_and_symbols/stop.png"] == "transportation"
    assert "signs_and_symbols/stop.png" not in other
    assert "animals/fish.png" not in ten


def test_huge_and_blank_drawings_are_left_out(tree):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 6, 0, 0, 0)
    (tree / "food" / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header))
    Image.new("RGBA", (20, 20), (255, 255, 255, 0)).save(tree / "food" / "blank.png")
    assert "food/huge.png" not in files(tree, "ten")
    assert "food/blank.png" in files(tree, "ten")
    parts = divided(tree, "ten")
    assert parts.dropped == 1
    assert not [d for d in (*parts.train, *parts.test) if d.file == "food/blank.png"]


def variant(path: Path, of: Path) -> None:
    """The drawing at another size with a slight change."""
    with Image.open(of) as picture:
        changed = picture.resize((60, 60), Image.Resampling.NEAREST)
    changed.putpixel((30, 30), (9, 9, 9, 255))
    changed.save(path)


def test_near_duplicates_are_on_one_side_and_not_in_other(tree):
    for i in range(5):
        drawing = tree / "tools" / "below" / f"drawing_{i}.png"
        variant(drawing.with_name(f"variant_{i}.png"), drawing)
    variant(tree / "computer" / "stolen.png", tree / "tools" / "below" / "drawing_0.png")
    parts = divided(tree, "ten")
    assert parts.duplicates == 5
    for side in (parts.train, parts.test):
        names = {Path(d.file).stem for d in side if d.file.startswith("tools")}
        assert {n.replace("variant", "drawing") for n in names} == {n for n in names if n.startswith("drawing")}
        assert {n.replace("drawing", "variant") for n in names} == {n for n in names if n.startswith("variant")}
    other = divided(tree, "other")
    assert other.dropped == 1
    assert not [d for d in (*other.train, *other.test) if "stolen" in d.file]


def test_the_split_and_revision_follow_the_content_not_the_place(tree, monkeypatch, tmp_path):
    card = Clipart(ClipartConfig(size=16)).card()
    again = tmp_path / "again"
    clipart_tree(again / "openclipart" / "png")
    os.rename(again / "openclipart/png/food/below/drawing_0.png", again / "openclipart/png/food/renamed.png")
    monkeypatch.setenv("DDBENCH_DATA", str(again))
    assert Clipart(ClipartConfig(size=16)).card() == card
    assert Clipart(ClipartConfig(size=32)).card().revision != card.revision


def test_a_missing_package_and_a_broken_drawing_are_told(tree, monkeypatch, tmp_path):
    (tree / "food" / "note.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"food/note\.png is no PNG"):
        Clipart().card()
    (tree / "food" / "note.png").write_bytes((tree / "food/below/drawing_0.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"1 of the 51 files of 'clipart10-ten-all-16' .*food/note\.png"):
        divided.__wrapped__(fresh(tree), "ten")
    monkeypatch.setattr(clipart, "SYSTEM_FOLDER", tmp_path / "no system")
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"openclipart-png.*apt install.*DDBENCH_DATA"):
        Clipart().card()


def fresh(folder: Path) -> Path:
    """The folder, listed anew."""
    drawings.cache_clear()
    return folder


def slow_difference(a: np.ndarray, b: np.ndarray) -> float:
    a, b = 255 - a.astype(np.float64), 255 - b.astype(np.float64)
    return float(((a - b) ** 2).sum() / max((a**2).sum(), (b**2).sum()))


def test_differences_agree_with_a_slow_reference():
    thumbs = np.random.default_rng(3).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8)
    found = differences(ink(thumbs), ink(thumbs[::-1]))
    for i in range(6):
        for j in range(6):
            assert found[i, j] == pytest.approx(slow_difference(thumbs[i], thumbs[5 - j]), abs=1e-5)


def test_groups_are_linked_by_chains():
    draw = np.random.default_rng(4)
    steps = np.cumsum(draw.integers(0, 14, (40, 3, 8, 8)), 0)
    chain = np.clip(250 - steps[:6], 0, 255).astype(np.uint8)
    apart = draw.integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    x = np.concatenate([apart, chain])
    near = np.array([[slow_difference(a, b) < 0.08 for b in x] for a in x])
    reach = np.linalg.matrix_power(near.astype(int), len(x)) > 0
    assert groups(x) == [int(row.argmax()) for row in reach]
    assert near_any(x, apart[:2]).tolist() == near[:, :2].any(1).tolist()


def test_a_fifth_of_each_class_is_held_out_whole_groups_at_a_time():
    draw = np.random.default_rng(5)
    labels = draw.integers(0, 4, 300).tolist()
    digests = [f"{v:016x}" for v in draw.permutation(300)]
    group = (np.arange(300) // 3 * 3).tolist()
    test = side_by_content(labels, digests, group)
    for k in range(4):
        held, n = (sum(1 for i in range(300) if labels[i] == k and (test[i] or every)) for every in (False, True))
        assert round(n / 5) - 3 <= held <= round(n / 5)
    assert all(test[i] == test[g] for i, g in enumerate(group))
    shuffled = draw.permutation(300)
    again = side_by_content([labels[i] for i in shuffled], [digests[i] for i in shuffled], [group[i] for i in shuffled])
    assert again == [test[i] for i in shuffled]


@pytest.mark.large
def test_the_packages_own_drawings_give_the_known_counts(monkeypatch):
    monkeypatch.undo()
    try:
        card = Clipart().card()
    except DataError as error:
        pytest.skip(f"no drawings: {error}")
    assert (card.train_size, card.test_size, card.smallest_class) == (1760, 439, 50)
