"""What codecs keep of an augmentation, and where an operation on a code is that operation on its signal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.dct import Dct, DctConfig
from ddbench_codecs.decoder import Decoder, DecoderConfig
from ddbench_codecs.downsample import Downsample, DownsampleConfig
from ddbench_codecs.identity import Identity
from ddbench_codecs.inr import Inr, InrConfig
from ddbench_codecs.pca import Pca, PcaConfig
from ddbench_codecs.tiles import Tiles
from ddbench_codecs.zca import Zca, ZcaConfig
from torch import Tensor

from ddbench.augment.families import FAMILIES, flip, rotate, scale
from ddbench.interfaces.codec import Codec

ALL = "color_crop_cutout_flip_scale_rotate"
S = 16


def downsample(factor: int = 2) -> Downsample:
    return Downsample(DownsampleConfig(factor=factor), target(3, S, S))


def encode(codec: Codec, x: Tensor) -> Tensor:
    code = codec.encode(x, torch.zeros(len(x), dtype=torch.int64), {})["x"]
    assert isinstance(code, Tensor)
    return code


def decoded(codec: Codec, z: Tensor) -> Tensor:
    return decode(codec, {"x": z}, torch.zeros(len(z), dtype=torch.int64))


@pytest.mark.parametrize(
    ("codec", "kept"),
    [
        (Identity(None, target(3, S, S)), ALL),
        (downsample(), ALL),
        (Zca(ZcaConfig(), target(3, S, S)), ALL),
        (Pca(PcaConfig(), target(3, S, S)), ""),
        (Dct(DctConfig(), target(3, S, S)), ""),
        (Decoder(DecoderConfig(), target(3, S, S)), ""),
        (Inr(InrConfig(), target(3, S, S)), ""),
        (Tiles(None, target(3, S, S)), ""),
    ],
    ids=["identity", "downsample", "zca", "pca", "dct", "decoder", "inr", "tiles"],
)
def test_what_the_built_in_codecs_keep(codec: Codec, kept: str) -> None:
    assert codec.code_augmentation(ALL) == kept
    assert codec.code_augmentation("") == ""


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_flipped_code_is_the_code_of_the_flipped_signal(factor: int) -> None:
    codec, x = downsample(factor), raw(4, 3, S, S)
    z = encode(codec, x)
    torch.testing.assert_close(encode(codec, x.flip(-1)), z.flip(-1), atol=1e-6, rtol=0)
    u = torch.tensor([[0.1, 0, 0], [0.9, 0, 0], [0.2, 0, 0], [0.7, 0, 0]])
    both = [flip(v[:, None], u)[:, 0] for v in (z, decoded(codec, z))]
    torch.testing.assert_close(decoded(codec, both[0]), both[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_shift_by_f_pixels_is_a_shift_by_one_cell(factor: int) -> None:
    """Away from the borders, where the resize repeats the last cell and the shift fills with 0."""
    codec, x = downsample(factor), raw(2, 3, S, S)
    z = encode(codec, x)
    inner = slice(2, S // factor - 1)
    of_shifted = encode(codec, x.roll((factor, factor), (-1, -2)))
    torch.testing.assert_close(of_shifted[..., inner, inner], z.roll((1, 1), (-1, -2))[..., inner, inner])
    pixels = slice(2 * factor, S - 2 * factor)
    shifted = decoded(codec, z.roll((1, 1), (-1, -2)))
    torch.testing.assert_close(
        shifted[..., pixels, pixels], decoded(codec, z).roll((factor, factor), (-1, -2))[..., pixels, pixels]
    )
    by_one = encode(codec, x.roll((1, 1), (-1, -2)))
    shifts = [z.roll((i, j), (-1, -2)) for i in (0, 1) for j in (0, 1)]
    least = min(float((by_one - s)[..., inner, inner].abs().max()) for s in shifts)
    assert least > 0.2 * float(z.std()), "a shift by one pixel is no shift of the code"


def test_a_hole_in_the_code_is_a_hole_f_times_as_wide() -> None:
    codec, factor = downsample(2), 2
    z = encode(codec, raw(2, 3, S, S))
    mask = torch.ones(S // factor, S // factor)
    mask[2:6, 1:5] = 0
    holed, whole = decoded(codec, z * mask), decoded(codec, z)
    inside = torch.zeros(S, S, dtype=torch.bool)
    inside[5:11, 3:9] = True
    near = torch.zeros(S, S, dtype=torch.bool)
    near[3:13, 1:11] = True
    assert bool((holed[..., inside] == 0).all()), "empty but for the edge that is interpolated"
    assert torch.equal(holed[..., ~near], whole[..., ~near])


@pytest.mark.parametrize("turn", [scale, rotate])
def test_scale_and_rotation_agree_where_interpolation_is_exact(turn: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Linear ramps are what linear interpolation gives back exactly, away from the borders."""
    u = torch.tensor([[0.9, 0.2, 0.0], [0.1, 0.7, 0.0]])
    down, across = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    codec = Downsample(DownsampleConfig(factor=2), target(3, 32, 32))
    ramp = torch.stack([down, across, 0.5 * down - across]).expand(2, -1, -1, -1) / 32
    z = encode(codec, ramp)
    found = decoded(codec, turn(z[:, None], u)[:, 0])
    expected = turn(decoded(codec, z)[:, None], u)[:, 0]
    centre = slice(9, 23)
    torch.testing.assert_close(found[..., centre, centre], expected[..., centre, centre], atol=1e-4, rtol=0)


def test_colour_agrees_but_for_contrast_where_f_does_not_divide_the_side() -> None:
    """Contrast turns about the mean of the item, which decoding keeps only where every cell fills as many pixels."""
    colour, half = FAMILIES["color"].transform, torch.tensor([0.5, 0.5])

    def gap(factor: int, *u: Tensor) -> float:
        codec, draws = downsample(factor), torch.stack(u, 1)
        z = encode(codec, raw(2, 3, S, S))
        x = decoded(codec, z)
        return float((decoded(codec, colour(z[:, None], draws)[:, 0]) - colour(x[:, None], draws)[:, 0]).abs().max())

    brightness, saturation, contrast = torch.tensor([[0.2, 0.9], [0.3, 0.8], [0.1, 0.9]])
    assert gap(2, brightness, saturation, contrast) < 1e-6
    assert gap(3, brightness, saturation, half) < 1e-6
    assert 1e-5 < gap(3, half, half, contrast) < 0.05
