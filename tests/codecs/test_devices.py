"""Codecs in float32 on each device against float64 on the CPU: codes, signals, gradients, and memory in the loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from codec_helpers import target
from ddbench_codecs.dct import Dct, DctConfig
from ddbench_codecs.downsample import Downsample, DownsampleConfig
from ddbench_codecs.wavelet import Wavelet, WaveletConfig
from on_devices import DEVICES, peak_bytes, whole_float32
from tiny_autoencoders import MODELS, built, kl, save
from torch import Tensor

from ddbench import registry
from ddbench.data import Data
from ddbench.distill.space import SignalSpace
from ddbench.distill.task import Matching, Streams
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.dataset import DatasetCard, Split

SHAPE, K, N = (3, 12, 16), 2, 3
CODECS = [*MODELS, "dct", "wavelet", "downsample"]
NEAR = 1e-4
"""Of the largest value: the most that a float32 result may be off."""


@pytest.fixture(autouse=True)
def _whole_float32() -> Iterator[None]:
    with whole_float32():
        yield


def codec_of(name: str, n: int = N) -> Codec:
    at = target(*SHAPE, n_classes=K, cap_bytes=K * n * 4 * 3 * 12 * 16)
    if name in MODELS:
        return built(name, at, decode_chunk=2)
    plain: dict[str, Any] = {
        "dct": (Dct, DctConfig(keep=1 / 4)),
        "wavelet": (Wavelet, WaveletConfig(keep=1 / 4)),
        "downsample": (Downsample, DownsampleConfig()),
    }
    make, config = plain[name]
    return make(config, at)


def items(n: int, shape: tuple[int, ...] = SHAPE) -> tuple[Tensor, Tensor]:
    x = torch.randn(K * n, *shape, generator=torch.Generator().manual_seed(0))
    return x, torch.arange(K).repeat_interleave(n)


def first(codec: Codec) -> tuple[Codes, Tensor, Tensor]:
    """(what `begin` gives, items, labels), on the CPU."""
    x, y = items(N)
    return codec.begin(x, y, torch.Generator().manual_seed(1)), x, y


def moved(codes: Codes, device: str) -> Codes:
    return {name: c.to(device) if isinstance(c, Tensor) else c for name, c in codes.items()}


def near(found: Tensor, expected: Tensor) -> None:
    expected = expected.detach()
    torch.testing.assert_close(
        found.detach().cpu().double(), expected, rtol=NEAR, atol=NEAR * float(expected.abs().max())
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CODECS)
def test_codes_signals_and_gradients_are_those_of_float64(name: str, device: str) -> None:
    codec = codec_of(name)
    shared, x, y = first(codec)
    leaf = codec.leaves()[0].name
    precise = codec.encode(x.double(), y, shared)[leaf]
    assert isinstance(precise, Tensor)
    found = codec.encode(x.to(device), y.to(device), moved(shared, device))[leaf]
    assert isinstance(found, Tensor)
    assert (found.dtype, found.device.type) == (torch.float32, device)
    near(found, precise)

    weight = torch.randn(len(x), *SHAPE, generator=torch.Generator().manual_seed(2))
    slow, here = precise.clone().requires_grad_(), precise.to(device, torch.float32).requires_grad_()
    signals = codec.decode({**shared, leaf: slow}, y, torch.Generator()).signals
    decoded = codec.decode({**moved(shared, device), leaf: here}, y.to(device), torch.Generator())
    assert isinstance(signals, Tensor)
    assert isinstance(decoded.signals, Tensor)
    assert {decoded.signals.device.type, decoded.source.device.type} == {device}
    near(decoded.signals, signals)
    (expected,) = torch.autograd.grad((signals * weight.double()).sum(), slow)
    (grad,) = torch.autograd.grad((decoded.signals * weight.to(device)).sum(), here)
    near(grad, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CODECS)
def test_first_items_may_be_made_where_masks_are_not(name: str, device: str) -> None:
    """Cells choose masks on the CPU and encode on the cell's device."""
    codec = codec_of(name)
    shared, x, y = first(codec)
    leaf = codec.leaves()[0].name
    found, expected = (codec.encode(x.to(d), y.to(d), shared)[leaf] for d in (device, "cpu"))
    assert isinstance(found, Tensor)
    assert isinstance(expected, Tensor)
    near(found, expected.double())


def task_of(codec: Codec, device: str, n: int, chunk: int | None) -> Matching:
    """n items a class, matched through the decoder on the device."""
    signal = replace(codec.target.signal, augmentation="")
    x, y = items(n, signal.shape)
    card = DatasetCard("made_up", "made-up", signal, ("a", "b"), len(x), len(x), "MIT", n, 4 * x[0].numel())
    split, at = Split(x, y), torch.device(device)
    space = SignalSpace(Data(card, split, split), codec, at)
    z: Codes = {"z": torch.randn(len(x), *codec.leaves()[0].shape, generator=torch.Generator().manual_seed(3))}
    network, streams = registry.build("network", "auto", {"width": 4}), Streams("made-up", 0)
    return Matching.start(space.data, space, network, streams, z, codec.leaves(), (), y, at, chunk)


def slope(task: Matching) -> Tensor:
    """∂L/∂z of a loss whose own gradient differs from value to value."""
    task.begin(0)
    loss = task.synthetic().pow(3).sum()
    task.backward(loss)
    grad = task.params["z"].grad
    assert grad is not None
    return grad


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("chunk", [1, 4, None])
def test_gradients_through_the_decoder_in_chunks(device: str, chunk: int | None) -> None:
    codec = codec_of("kl")
    task = task_of(codec, device, 5, chunk)
    z = task.params["z"].detach().cpu().double().requires_grad_()
    signals = codec.decode({"z": z}, task.labels.cpu(), torch.Generator()).signals
    assert isinstance(signals, Tensor)
    (expected,) = torch.autograd.grad(signals.pow(3).sum(), z)
    near(slope(task), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_chunks_bound_the_memory_of_the_loop(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight times the items add their own values and little else; whole, all activations of the decoder."""
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path))
    save(tmp_path / "wide", kl, block_out_channels=(32, 32, 32))
    shape = (3, 16, 16) if device == "cpu" else (3, 128, 128)
    codec = registry.build("codec", "autoencoder", {"model": "wide"}, target(*shape, n_classes=K))
    slope(task_of(codec, device, 2, 2))

    def taken(n: int, chunk: int | None) -> int:
        task = task_of(codec, device, n, chunk)
        return peak_bytes(lambda: slope(task), device)

    few, many, whole = taken(4, 2), taken(32, 2), taken(32, None)
    values = K * (32 - 4) * 4 * prod(shape)
    assert many - few < 8 * values, "signals, their gradients, and the loss's own"
    assert whole > 8 * many
