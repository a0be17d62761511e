"""From a file to pixels: transparency, modes, sizes, faults."""

from __future__ import annotations

import numpy as np
import pytest
from picture_trees import picture
from PIL import Image

from ddbench.datasets.pictures import centre_crop, channels_first, letterboxed, opened
from ddbench.errors import DataError


def test_transparent_parts_become_white_and_half_transparent_ones_half_white(tmp_path):
    pixels = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [200, 0, 100, 128]]], dtype=np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    found = np.asarray(opened(tmp_path / "a.png"))[0].astype(int)
    alpha = 128 / 255
    assert found[0].tolist() == [255, 255, 255]
    assert found[1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(found[2], [alpha * c + (1 - alpha) * 255 for c in (200, 0, 100)], atol=1)


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1", "LA", "RGBA"])
def test_every_eight_bit_mode_becomes_rgb(tmp_path, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    Image.new("RGB", (8, 8), "white").convert(mode).save(tmp_path / f"a{suffix}")
    found = opened(tmp_path / f"a{suffix}")
    assert found.mode == "RGB"
    assert np.asarray(found).min() >= 254


def test_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match=r"deep\.png.*more than 8 bits"):
        opened(tmp_path / "deep.png")


def test_broken_files_are_named(tmp_path, monkeypatch):
    whole = picture(tmp_path / "whole.png", 1).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    for name, cause in (("cut.png", "truncated"), ("text.png", "not a picture"), ("absent.png", "No such file")):
        with pytest.raises(DataError, match=rf"{name} cannot be read: .*{cause}"):
            opened(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"whole\.png has too many pixels"):
        opened(tmp_path / "whole.png")


@pytest.mark.parametrize("extent", [(64, 32), (32, 64), (7, 5), (8, 8), (100, 1)])
def test_a_letterbox_has_the_whole_picture_in_the_middle_of_white(extent):
    found = np.asarray(letterboxed(Image.new("RGB", extent, "black"), 16))
    assert found.shape == (16, 16, 3)
    width, height = (max(1, round(16 * side / max(extent))) for side in extent)
    assert (found == 0).all(2).sum() == width * height
    rows, columns = (found == 0).all(2).nonzero()
    assert rows.min() == (16 - height) // 2
    assert columns.min() == (16 - width) // 2


def test_the_centre_crop_is_the_middle_square_of_the_short_side():
    stripes = np.zeros((16, 64, 3), dtype=np.uint8)
    stripes[:, 24:40] = 200
    assert (np.asarray(centre_crop(Image.fromarray(stripes), 16)) == 200).all()
    up = centre_crop(Image.fromarray(stripes[:5, 24:33]), 16)
    assert up.size == (16, 16)


def test_shrinking_averages_over_all_pixels():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    found = np.asarray(centre_crop(Image.fromarray(np.stack([board] * 3, 2)), 8)).astype(int)
    assert np.abs(found - 127).max() <= 2


def test_channels_first_keeps_colours_and_grey_is_luma():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    found = channels_first(Image.fromarray(pixels))
    assert found.shape == (3, 4, 5)
    assert found[2, 1, 3] == pixels[1, 3, 2]
    grey = channels_first(Image.fromarray(pixels), 1)
    np.testing.assert_allclose(grey[0], pixels @ [0.299, 0.587, 0.114], atol=1)


@pytest.mark.parametrize("shape", [(2, 60_000), (60_000, 2)], ids=str)
def test_the_middle_of_a_very_thin_picture_is_taken_without_enlarging_all_of_it(shape: tuple[int, int]) -> None:
    picture = Image.new("RGB", shape, "white")
    middle = tuple(side // 2 - 1 for side in shape)
    picture.paste((255, 0, 0), (*middle, middle[0] + 2, middle[1] + 2))
    found = centre_crop(picture, 256)
    assert found.size == (256, 256)
    assert found.getcolors() == [(256 * 256, (255, 0, 0))]
