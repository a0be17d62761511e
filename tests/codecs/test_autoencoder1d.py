"""The autoencoder over time: contract, who pays, bad weights; its training repeats itself, killed or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from ddbench_codecs.autoencoders.places import shipped_root
from ddbench_codecs.series.codec import Autoencoder1d
from ddbench_codecs.series.net import SeriesAutoencoder
from ddbench_codecs.series.training import SeriesTrainConfig, lines, windows
from safetensors.torch import load_file
from torch.nn import functional as F

from ddbench import registry
from ddbench.errors import DataError, SpecError
from ddbench.interfaces.codec import Target
from ddbench.interfaces.codec_training import TrainingSet, Work
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.lengths import WithLengths, codec_for
from ddbench.interfaces.signal import SignalSpec
from ddbench.testing.codecs import CodecContract

SHIPPED = "shipped:series_f4"


class TestShipped(CodecContract):
    codec = Autoencoder1d
    args: ClassVar[dict[str, Any]] = {"model": SHIPPED}
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((3, 12), (1, 7))


def test_the_network_is_its_definition_and_begins_at_the_linear_resize():
    model = SeriesAutoencoder(4, 2, 3)
    x = torch.randn(2, 1, 12, generator=torch.Generator().manual_seed(0))
    z = model.encode(x)
    assert z.shape == (2, 2, 3)
    torch.testing.assert_close(z[:, 0], x[:, 0].unflatten(1, (3, 4)).mean(2))
    want = torch.empty(2, 12)
    for i in range(12):  # half-pixel centres, ends repeated
        at = min(max((i + 0.5) / 4 - 0.5, 0.0), 2.0)
        left, share = int(at), at - int(at)
        want[:, i] = z[:, 0, left] * (1 - share) + z[:, 0, min(left + 1, 2)] * share
    torch.testing.assert_close(model.decode(z)[:, 0], want)


def target(shape=(3, 12), family="other", mask=False):
    c = shape[0]
    spec = SignalSpec(shape, (0.0,) * c, (1.0,) * c, mask=mask)
    return Target(spec, 2, 10**6, "float32", family)


def test_channels_are_coded_alike_and_lengths_stand_beside():
    codec = codec_for("autoencoder1d", {"model": SHIPPED}, target((4, 12), mask=True))
    assert isinstance(codec, WithLengths)
    assert codec.leaves()[0].shape == (3, 3)
    x = torch.cat([torch.linspace(-1, 1, 12).expand(1, 3, 12), torch.ones(1, 1, 12)], 1)
    z = codec.encode(x, torch.zeros(1), {})["z"]
    assert torch.equal(z[0, 0], z[0, 1])
    back = codec.decode({"z": z, "length": torch.tensor([[12]])}, torch.zeros(1), torch.Generator()).signals
    assert (back - x).abs().max() < 0.3


def test_it_is_nearer_than_the_linear_resize_on_series_it_never_saw():
    from ddbench import data

    loaded = data.load(registry.build("dataset", "aeon_series"))
    x, y = loaded.signals(torch.arange(60)), loaded.train.labels[:60]
    spec, inside = loaded.card.signal, loaded.signals(torch.arange(60))[:, -1:] > 0
    errors = []
    for name, args in (("autoencoder1d", {"model": SHIPPED}), ("downsample", {"factor": 4})):
        codec = codec_for(name, args, Target(spec, 9, 10**6, "float32", loaded.card.family))
        back = codec.decode(codec.encode(x, y, {}), y, torch.Generator()).signals
        errors.append(float(((back - x)[:, :-1].square() * inside).mean()))
    assert errors[0] < 0.8 * errors[1]


def test_who_pays():
    free = codec_for("autoencoder1d", {"model": SHIPPED}, target())
    weights = load_file(shipped_root() / "series_f4" / "diffusion_pytorch_model.safetensors")
    decoder = {n: t for n, t in weights.items() if n.startswith("decoder.")}
    assert (free.decoder_bytes, free.has_fit, len(free.leaves())) == (
        sum(4 * t.numel() for t in decoder.values()),
        False,
        1,
    )
    assert "OSULeaf" in free.decoder_training_data
    paid = codec_for("autoencoder1d", {"model": SHIPPED}, target(family="OSULeaf"))
    assert (paid.decoder_bytes, paid.has_fit) == (0, True)
    shared = paid.fit(None, torch.Generator())  # pyright: ignore[reportArgumentType]
    assert {leaf.name for leaf in paid.leaves()[1:]} == set(shared)
    x = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0))
    codes = free.encode(x, torch.zeros(2), {})
    decoded = [c.decode(codes | s, torch.zeros(2), torch.Generator()).signals for c, s in ((paid, shared), (free, {}))]
    mine, theirs = decoded
    assert torch.equal(mine, theirs)
    blind = {n: torch.zeros_like(t) for n, t in shared.items()}
    assert not torch.equal(paid.decode(codes | blind, torch.zeros(2), torch.Generator()).signals, theirs)
    unranked = codec_for("autoencoder1d", {"model": SHIPPED, "in_domain": "free"}, target(family="OSULeaf"))
    assert unranked.free_in_domain


def test_weights_that_do_not_fit_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path))

    def refused(**change):
        shutil.rmtree(tmp_path / "m", ignore_errors=True)
        shutil.copytree(shipped_root() / "series_f4", tmp_path / "m")
        config = json.loads((tmp_path / "m" / "config.json").read_text())
        (tmp_path / "m" / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(DataError) as error:
            codec_for("autoencoder1d", {"model": "m"}, target())
        return str(error.value)

    assert "do not fit its config.json: decoder.0.weight" in refused(channels=3)
    assert "describes no model that works" in refused(f=3)
    assert "holds a AutoencoderKL, not a" in refused(_class_name="AutoencoderKL")
    with pytest.raises(DataError, match="weights of gone are not here"):
        codec_for("autoencoder1d", {"model": "gone"}, target())
    with pytest.raises(SpecError, match="stores series"):
        codec_for("autoencoder1d", {"model": SHIPPED}, target((1, 8, 8)))
    with pytest.raises(SpecError, match="holds no paths"):
        codec_for("autoencoder1d", {"model": "../m"}, target())


def training_set(name="waves", mask=True):
    n, t = 12, 40
    lengths = torch.arange(n) % 5 * 8 + 8
    on = (torch.arange(t) < lengths[:, None]).float()[:, None]
    waves = torch.sin(torch.arange(t) * torch.linspace(0.1, 0.6, n)[:, None])[:, None].expand(n, 2, t) * on
    spec = SignalSpec((3, t), (0.0,) * 3, (1.0,) * 3, mask=True)
    return TrainingSet(name, "1", spec, Split(torch.cat([waves, on], 1), torch.zeros(n)))


def test_windows_lie_within_what_has_values():
    config = SeriesTrainConfig(crop=8, zoom=4)
    found = lines(training_set())
    assert found.values.shape == (24, 40)
    ones = type(found)((torch.arange(40) < found.lengths[:, None]).float(), found.lengths)
    for seed in range(20):
        x = windows(ones, 50, config, torch.Generator().manual_seed(seed))
        assert x.shape == (50, 1, 8)
        assert bool((x == x[..., :1]).all())  # nothing of the padding
        assert x.abs().max() <= 1.65
        assert x.abs().min() >= 0.6
    with pytest.raises(SpecError, match="is trained on series"):
        lines(TrainingSet("maps", "1", SignalSpec((1, 2, 2), (0.0,), (1.0,)), training_set().train))


class Stopped(Exception):
    pass


def train(folder: Path, checkpoint: Path, stop_at: int | None = None) -> list[str]:
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if stop_at is not None and len(told) == stop_at:
            raise Stopped

    folder.mkdir(exist_ok=True)
    config = SeriesTrainConfig(f=2, crop=8, width=4, steps=20, batch=8, zoom=2)
    found = Autoencoder1d.train(config, [training_set()], Work(torch.device("cpu"), checkpoint, 0.0, tell), folder)
    assert found.record["validation_mse"]["waves"] < found.record["validation_mse_of_linear_resize"]["waves"] * 1.5
    return told


def test_a_training_that_was_killed_ends_with_the_same_weights(tmp_path):
    train(tmp_path / "whole", tmp_path / "a")
    with pytest.raises(Stopped):
        train(tmp_path / "cut", tmp_path / "b", stop_at=7)
    told = train(tmp_path / "cut", tmp_path / "b")
    assert told[0].startswith("Going on from step 6 of 20")
    first, second = (load_file(tmp_path / f / "diffusion_pytorch_model.safetensors") for f in ("whole", "cut"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[n], second[n]) for n in first)
    (tmp_path / "b").write_bytes(b"damaged")
    assert "Training starts anew" in train(tmp_path / "cut", tmp_path / "b")[0]


def test_training_lowers_the_error():
    config = SeriesTrainConfig(f=4, crop=16, width=8, steps=1, zoom=2)
    x = windows(lines(training_set()), 64, config, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = SeriesAutoencoder(4, 1, 8)
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    before = F.mse_loss(model.decode(model.encode(x)), x).item()
    for _ in range(60):
        optimiser.zero_grad()
        F.mse_loss(model.decode(model.encode(x)), x).backward()
        optimiser.step()
    assert F.mse_loss(model.decode(model.encode(x)), x).item() < 0.7 * before
