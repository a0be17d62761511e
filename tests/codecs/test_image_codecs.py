"""JPEG and WebP against files that Pillow writes and reads by itself."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.jpeg import Jpeg, JpegConfig
from ddbench_codecs.webp import Webp, WebpConfig
from PIL import Image

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Ragged
from ddbench.interfaces.signal import SignalSpec

GENERATOR = torch.Generator()
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 17, 30)]


def pictures(values: torch.Tensor) -> list[Image.Image]:
    """8-bit pictures of raw values, one at a time."""
    out = []
    for value in values.double().numpy():
        pixels = np.rint(np.clip(value, 0, 1) * 255).astype(np.uint8)
        out.append(Image.fromarray(pixels[0] if len(value) == 1 else np.moveaxis(pixels, 0, 2)))
    return out


def through_pillow(picture: Image.Image, signal: SignalSpec, **options: object) -> tuple[bytes, np.ndarray]:
    """(file, normalised signal) of one picture."""
    stream = io.BytesIO()
    picture.save(stream, **options)  # pyright: ignore[reportArgumentType]
    pixels = np.asarray(Image.open(stream), dtype=np.float64) / 255
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
    planes = planes.mean(0, keepdims=True) if signal.channels == 1 else planes
    scale = [np.reshape(v, (-1, 1, 1)) for v in (signal.mean, signal.std)]
    return stream.getvalue(), (planes - scale[0]) / scale[1]


def stored(codec: Codec, values: torch.Tensor) -> tuple[Codes, torch.Tensor]:
    x, y = codec.target.signal.normalise(values), torch.zeros(len(values), dtype=torch.int64)
    shared = codec.begin(x, y, GENERATOR)
    return shared | codec.encode(x, y, shared), y


def row(codes: Codes, i: int) -> bytes:
    stream = codes["stream"]
    assert isinstance(stream, Ragged)
    return stream.row(i)


@pytest.mark.parametrize("quality", [1, 50, 95])
@pytest.mark.parametrize("shape", SHAPES)
def test_jpeg_header_scan_and_end_are_the_file(shape: tuple[int, ...], quality: int) -> None:
    codec = Jpeg(JpegConfig(quality=quality), target(*shape))
    values = raw(3, *shape) * 1.4 - 0.2
    values[2] = 0.5
    codes, y = stored(codec, values)
    found, header = decode(codec, codes, y), codes["header"]
    assert isinstance(header, torch.Tensor)
    for i, picture in enumerate(pictures(values)):
        file, signal = through_pillow(picture, codec.target.signal, format="JPEG", quality=quality)
        assert bytes(header.tolist()) + row(codes, i) + b"\xff\xd9" == file
        np.testing.assert_allclose(found[i], signal, atol=1e-5)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_webp_is_the_file(shape: tuple[int, ...], lossless: bool) -> None:
    codec = Webp(WebpConfig(quality=40, lossless=lossless), target(*shape))
    values = raw(2, *shape)
    codes, y = stored(codec, values)
    found = decode(codec, codes, y)
    for i, picture in enumerate(pictures(values)):
        options = {"format": "WEBP", "quality": 40, "lossless": lossless, "method": 4}
        file, signal = through_pillow(picture.convert("RGB"), codec.target.signal, **options)
        assert row(codes, i) == file
        np.testing.assert_allclose(found[i], signal, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_lossless_webp_loses_the_8_bit_rounding_only(shape: tuple[int, ...]) -> None:
    codec = Webp(WebpConfig(lossless=True), target(*shape))
    values = raw(2, *shape)
    codes, y = stored(codec, values)
    back = codec.target.signal.denormalise(decode(codec, codes, y))
    assert float((back - values).abs().max()) < 0.5001 / 255


@pytest.mark.parametrize("codec_class", [Jpeg, Webp])
def test_quality_buys_accuracy_with_bytes(codec_class: type[Codec]) -> None:
    values = raw(4, 1, 28, 28)
    sizes, errors = [], []
    for quality in (5, 50, 95):
        codec = codec_class(codec_class.Config(quality=quality), target(1, 28, 28))
        codes, y = stored(codec, values)
        sizes.append(sum(len(row(codes, i)) for i in range(4)))
        errors.append(float((decode(codec, codes, y) - codec.target.signal.normalise(values)).pow(2).mean()))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("codec_class", [Jpeg, Webp])
def test_other_raw_ranges_are_stretched_to_8_bits(codec_class: type[Codec]) -> None:
    unit = raw(1, 1, 16, 16)
    signal = SignalSpec((1, 16, 16), (10.0,), (3.0,), low=-20.0, high=30.0)
    wide = codec_class(None, type(target(1, 16, 16))(signal, 2, 2**20))
    plain = codec_class(None, target(1, 16, 16))
    assert row(stored(wide, unit * 50 - 20)[0], 0) == row(stored(plain, unit)[0], 0)
    codes, y = stored(wide, unit * 50 - 20)
    back = (signal.denormalise(decode(wide, codes, y)) + 20) / 50
    plain_codes, _ = stored(plain, unit)
    assert torch.allclose(back, plain.target.signal.denormalise(decode(plain, plain_codes, y)), atol=1e-5)


def test_a_header_of_another_quality_is_refused() -> None:
    one, other = (Jpeg(JpegConfig(quality=q), target(1, 16, 16)) for q in (50, 60))
    x, y = raw(1, 1, 16, 16), torch.zeros(1, dtype=torch.int64)
    with pytest.raises(ArtifactError, match="quality 60"):
        other.encode(x, y, one.begin(x, y, GENERATOR))


@pytest.mark.parametrize("codec_class", [Jpeg, Webp])
def test_damaged_bytes_name_the_item(codec_class: type[Codec]) -> None:
    codec = codec_class(None, target(1, 16, 16))
    codes, y = stored(codec, raw(2, 1, 16, 16))
    if "header" in codes:
        broken = codes | {"header": torch.zeros_like(codes["header"])}  # pyright: ignore[reportArgumentType]
        item = 0
    else:
        broken, item = codes | {"stream": Ragged.of([row(codes, 0), row(codes, 1)[:30]])}, 1
    with pytest.raises(ArtifactError, match=f"item {item} "):
        decode(codec, broken, y)


@pytest.mark.parametrize("codec_class", [Jpeg, Webp])
def test_a_picture_of_another_size_is_refused(codec_class: type[Codec]) -> None:
    codes, y = stored(codec_class(None, target(1, 16, 16)), raw(1, 1, 16, 16))
    with pytest.raises(ArtifactError, match="8 wide"):
        decode(codec_class(None, target(1, 8, 8)), codes, y)


@pytest.mark.parametrize("codec_class", [Jpeg, Webp])
def test_what_is_not_a_bounded_picture_is_refused(codec_class: type[Codec]) -> None:
    for shape in ((2, 30), (12,), (2, 8, 8), (4, 8, 8)):
        with pytest.raises(SpecError, match="grey or colour"):
            codec_class(None, target(*shape))
    with pytest.raises(SpecError, match="low = None"):
        codec_class(None, target(1, 8, 8, bounded=False))
