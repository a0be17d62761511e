"""Codes of autoencoders: what they are, what they cost, and how signals get into a network's form and back."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.autoencoders import codec as codec_module
from ddbench_codecs.autoencoders.adapters import ADAPTERS
from ddbench_codecs.autoencoders.codec import Autoencoder
from ddbench_codecs.autoencoders.model import loaded
from ddbench_codecs.autoencoders.pixels import Pixels
from tiny_autoencoders import MODELS, built
from torch import Tensor, nn
from torch.nn import functional as F

from ddbench.cost import cost_of
from ddbench.errors import SpecError


def labels(n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.int64)


def encode(codec: Autoencoder, x: Tensor) -> Tensor:
    z = codec.encode(x, labels(len(x)), {})["z"]
    assert isinstance(z, Tensor)
    return z


def network(codec: Autoencoder):
    return loaded(codec.weights, codec.digest, torch.device("cpu"), torch.float64)


@pytest.mark.parametrize(("model", "f", "C"), [("kl", 4, 4), ("vq", 2, 3), ("tiny", 4, 4), ("dc", 4, 4)])
def test_stride_and_channels_are_the_models(model: str, f: int, C: int) -> None:
    assert len(MODELS) == len(ADAPTERS), "every adapter is tried"
    codec = built(model, target(3, 16, 24))
    leaf = codec.leaves()[0]
    assert leaf.shape == (C, 16 // f, 24 // f)
    assert leaf.lr_scale == prod(leaf.shape) / (3 * 16 * 24)


def test_the_code_of_a_kl_model_is_its_scaled_mean() -> None:
    """By the network itself in float64, from raw pixels."""
    codec, pixels = built("kl", target(3, 12, 12)), raw(2, 3, 12, 12)
    model = network(codec)
    mean = model.quant_conv(model.encoder(2 * pixels.double() - 1)).chunk(2, 1)[0]
    z = encode(codec, codec.target.signal.normalise(pixels))
    torch.testing.assert_close(z.double(), mean * 0.18215, atol=1e-5, rtol=1e-4)
    back = codec.target.signal.denormalise(decode(codec, {"z": z}, labels(2)))
    seen = model.decoder(model.post_quant_conv(z.double() / 0.18215))
    torch.testing.assert_close(back.double(), (seen + 1) / 2, atol=1e-4, rtol=1e-4)


def test_scales_are_those_of_the_config() -> None:
    shifted = built("kl_shifted", target(3, 12, 12))
    model, x = network(shifted), raw(2, 3, 12, 12)
    mean = model.encode(2 * x.double() - 1).latent_dist.mean
    z = encode(shifted, shifted.target.signal.normalise(x))
    torch.testing.assert_close(z.double(), (mean - 0.3) * 1.5, atol=1e-5, rtol=1e-4)
    wide = built("kl_spread", target(3, 12, 12))
    model = network(wide)
    mean = model.encode(2 * x.double() - 1).latent_dist.mean
    means, stds = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in ((0.1, 0.2, 0.3, 0.4), (1, 2, 3, 4)))
    z = encode(wide, wide.target.signal.normalise(x))
    torch.testing.assert_close(z.double(), (mean - means) / stds * 0.5, atol=1e-5, rtol=1e-4)


def test_constants_of_codes_are_paid_for_with_the_decoder() -> None:
    """Means and deviations of the target's codes are fitted on it; a paid decoder reads them from the set."""
    at = target(3, 12, 12)
    paid, plain = (built("in_domain_spread", replace(at, family=family)) for family in ("made_up", "another"))
    known = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.18215, 0.18215 / 2, 0.18215 / 3, 0.18215 / 4]])
    stored = paid.fit(None, torch.Generator())  # type: ignore[arg-type]
    torch.testing.assert_close(stored["scale"], known)
    for storage, size in (("float32", 4), ("float16", 2), ("uint8", 1)):
        weights = cost_of(paid.leaves(), storage).per_set - 2 * 4 * 4
        assert weights == plain.decoder_bytes // 4 * size, "two float32 a channel, whatever the storage type"
    z = encode(plain, raw(2, 3, 12, 12))
    torch.testing.assert_close(decode(paid, {"z": z, **stored}, labels(2)), decode(plain, {"z": z}, labels(2)))
    spoilt = stored | {"scale": known * torch.tensor([[2.0], [1.0]])}
    assert not torch.allclose(decode(paid, {"z": z, **spoilt}, labels(2)), decode(plain, {"z": z}, labels(2)))
    assert [leaf.name for leaf in built("in_domain", replace(at, family="made_up")).leaves()].count("scale") == 0


def test_a_card_may_name_another_range() -> None:
    codec, x = built("unit_range", target(3, 12, 12)), raw(2, 3, 12, 12)
    mean = network(codec).encode(x.double()).latent_dist.mean
    z = encode(codec, codec.target.signal.normalise(x))
    torch.testing.assert_close(z.double(), mean * 0.18215, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 9, 14), (3, 8, 11)])
def test_edges_are_repeated_and_cropped_nothing_is_resized(shape: tuple[int, ...]) -> None:
    pixels, (h, w) = Pixels(target(*shape).signal, 3, 4, (-1.0, 1.0)), shape[1:]
    x = target(*shape).signal.normalise(raw(2, *shape))
    seen = pixels.seen(x)
    H, W = -(-h // 4) * 4, -(-w // 4) * 4
    assert seen.shape == (2, 3, H, W)
    left, above = (W - w) // 2, (H - h) // 2
    rows = [min(max(i - above, 0), h - 1) for i in range(H)]
    columns = [min(max(j - left, 0), w - 1) for j in range(W)]
    slow = (2 * target(*shape).signal.denormalise(x) - 1)[:, :, rows][..., columns].expand(-1, 3, -1, -1)
    torch.testing.assert_close(seen, slow)
    torch.testing.assert_close(pixels.signals(seen), x, atol=1e-5, rtol=1e-4)


def test_a_grey_signal_is_the_mean_of_decoded_channels() -> None:
    signal = target(1, 8, 8).signal
    seen = torch.rand(2, 3, 8, 8) * 2 - 1
    raw_back = signal.denormalise(Pixels(signal, 3, 4, (-1.0, 1.0)).signals(seen))
    torch.testing.assert_close(raw_back, (seen.mean(1, keepdim=True) + 1) / 2)


def test_a_mirrored_code_is_the_code_of_a_mirrored_signal_where_the_network_is_even() -> None:
    """Edges are repeated on both sides alike, so that flips mean the same on codes."""
    signal = target(1, 6, 6).signal
    pixels, x = Pixels(signal, 1, 4, (0.0, 1.0)), torch.randn(2, 1, 6, 6)
    coded = F.avg_pool2d(pixels.seen(x), 4)
    torch.testing.assert_close(F.avg_pool2d(pixels.seen(x.flip(-1)), 4), coded.flip(-1))


@pytest.mark.parametrize(
    ("shape", "bounded", "told"),
    [
        ((2, 12, 12), True, "3 channels"),
        ((3, 3, 12), True, "4 × 4"),
        ((12,), True, "pictures"),
        ((3, 30), True, "pictures"),
        ((3, 12, 12), False, "low = None"),
    ],
)
def test_what_the_model_cannot_take_is_refused(shape: tuple[int, ...], bounded: bool, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        built("kl", target(*shape, bounded=bounded))


def test_batches_within_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = built("kl", target(3, 12, 12))
    x = codec.target.signal.normalise(raw(5, 3, 12, 12))
    z = encode(codec, x)
    back = decode(codec, {"z": z}, labels(5))
    monkeypatch.setattr(codec_module, "PIXELS_AT_ONCE", {"cpu": 2 * 144})
    assert [s.stop - s.start for s in codec._parts(5, x.device)] == [2, 2, 2]
    torch.testing.assert_close(encode(codec, x), z, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(decode(codec, {"z": z}, labels(5)), back, atol=1e-5, rtol=1e-5)


def test_chunks_are_smaller_the_larger_the_picture() -> None:
    assert built("kl", target(3, 16, 16)).decode_chunk == 512
    assert built("kl", target(3, 256, 256)).decode_chunk == 2
    assert built("kl", target(3, 1024, 1024)).decode_chunk == 1
    assert built("kl", target(3, 16, 16), decode_chunk=7).decode_chunk == 7


def test_quantised_decoding_shows_codewords_and_passes_gradients_through() -> None:
    plain, quantised = built("vq", target(3, 8, 8)), built("vq", target(3, 8, 8), quantise=True)
    model, latent, scale = network(plain), torch.randn(2, 3, 4, 4, dtype=torch.float64), 0.18215
    words = model.quantize.embedding.weight
    nearest = torch.cdist(latent.movedim(1, -1).reshape(-1, 3), words).argmin(1)
    z, chosen = scale * latent, scale * words[nearest].reshape(2, 4, 4, 3).movedim(-1, 1)
    shown = decode(quantised, {"z": z}, labels(2))
    torch.testing.assert_close(shown, decode(plain, {"z": chosen}, labels(2)))
    here, there = z.clone().requires_grad_(), chosen.clone().requires_grad_()
    weight = torch.randn_like(shown)
    (straight,) = torch.autograd.grad((decode(quantised, {"z": here}, labels(2)) * weight).sum(), here)
    (at_word,) = torch.autograd.grad((decode(plain, {"z": there}, labels(2)) * weight).sum(), there)
    torch.testing.assert_close(straight, at_word)
    assert quantised.decoder_bytes - plain.decoder_bytes == 4 * 16 * 3, "the codebook is of the decoder"
    with pytest.raises(SpecError, match="no codebook"):
        built("kl", target(3, 8, 8), quantise=True)


def test_bytes_of_the_decoder_are_those_of_its_weights() -> None:
    codec = built("kl", target(3, 12, 12))
    model = network(codec)
    parts = (*model.decoder.parameters(), *model.post_quant_conv.parameters())
    assert codec.decoder_bytes == 4 * sum(p.numel() for p in parts)
    assert codec.decoder_training_data == "not stated"
    assert built("in_domain", target(3, 12, 12)).decoder_training_data == "Made-up pictures."


def test_half_precision_stays_near() -> None:
    full, half = built("kl", target(3, 12, 12)), built("kl", target(3, 12, 12), compute="bfloat16")
    x = full.target.signal.normalise(raw(2, 3, 12, 12))
    z, coarse = encode(full, x), encode(half, x)
    assert coarse.dtype == torch.float32
    assert not torch.equal(z, coarse)
    torch.testing.assert_close(coarse, z, atol=0.1 * float(z.abs().max()), rtol=0.1)


def test_the_models_weights_are_read_once() -> None:
    one, two = built("kl", target(3, 12, 12)), built("kl", target(1, 8, 8))
    assert network(one) is network(two)
    assert not any(p.requires_grad for p in network(one).parameters())
    assert not network(one).training


def test_latents_keep_what_is_local() -> None:
    codec = built("tiny", target(3, 12, 12))
    assert codec.code_augmentation("color_crop_cutout_flip_scale_rotate") == "crop_cutout_flip_scale"
    assert codec.code_augmentation("color") == ""


def test_operations_are_those_of_its_convolutions_and_products() -> None:
    """By hooks that see a real pass, layer by layer."""
    codec = built("kl", target(3, 12, 12))
    model, seen = network(codec), {"encode": 0, "decode": 0}
    way = "encode"

    def note(layer: nn.Module, _: object, y: Tensor) -> None:
        seen[way] += 2 * y.numel() * layer.weight[0].numel()

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [m.register_forward_hook(note) for m in layers]
    z = model.encode(torch.zeros(1, 3, 12, 12, dtype=torch.float64)).latent_dist.mean
    way = "decode"
    model.decode(z)
    for hook in hooks:
        hook.remove()
    width = max(m.out_features for m in layers if isinstance(m, nn.Linear))
    attention = 2 * (2 * prod(z.shape[2:]) ** 2 * width)  # queries × keys, then × values
    found = codec.work()
    assert found.encode == seen["encode"] + attention
    assert found.decode == seen["decode"] + attention
    padded = built("kl", target(3, 10, 10)).work()
    assert padded == found, "a side of ten is padded to twelve"
