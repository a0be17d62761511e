"""Neural audio codecs: tiny random EnCodec and DAC models, saved as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ddbench.errors import DataError
from ddbench.interfaces.codec import Target
from ddbench.interfaces.lengths import codec_for
from ddbench.interfaces.signal import SignalSpec

Y = torch.zeros(2, dtype=torch.long)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models")
    encodec = transformers.EncodecConfig(
        num_filters=2, hidden_size=4, upsampling_ratios=[2, 2], num_lstm_layers=1, codebook_size=8, codebook_dim=4,
        target_bandwidths=[1.5], sampling_rate=800,
    )  # fmt: skip
    dac = transformers.DacConfig(
        encoder_hidden_size=2, downsampling_ratios=[2, 2], decoder_hidden_size=8, upsampling_ratios=[2, 2],
        n_codebooks=2, codebook_size=8, codebook_dim=2, sampling_rate=800,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.EncodecModel(encodec).save_pretrained(folder / "encodec")
        transformers.DacModel(dac).save_pretrained(folder / "dac")
    return folder


@pytest.fixture(autouse=True)
def _models(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_MODELS", str(root))


def target(c=1, family="mine"):
    return Target(SignalSpec((c, 30), (0.1,) * c, (0.2,) * c), 2, 10**6, "float32", family)


def sounds(c=1):
    return torch.randn(2, c, 30, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "kind"), [("encodec", "EncodecModel"), ("dac", "DacModel")])
def test_codes_are_the_models_own_of_raw_samples(root, name, kind):
    import transformers

    model = getattr(transformers, kind).from_pretrained(root / name).eval()
    codec = codec_for("neural_audio", {"model": name}, target())
    x = sounds()
    z = codec.encode(x, Y, {})["z"]
    assert z.shape == (2, *codec.leaves()[0].shape) == (2, model.config.hidden_size, 8)
    raw = torch.nn.functional.pad(x * 0.2 + 0.1, (0, 2), mode="replicate")
    with torch.no_grad():
        own = model.encoder(raw)[..., :8]
        torch.testing.assert_close(z, own)
        back = model.decoder(own)[..., :30]
    decoded = codec.decode({"z": z}, Y, torch.Generator()).signals
    torch.testing.assert_close(decoded * 0.2 + 0.1, back)


@pytest.mark.parametrize("name", ["encodec", "dac"])
def test_gradients_and_channels(name):
    codec = codec_for("neural_audio", {"model": name}, target(2))
    z = codec.encode(sounds(2), Y, {})["z"]
    one = codec_for("neural_audio", {"model": name}, target())
    torch.testing.assert_close(one.encode(sounds(2)[:, 1:], Y, {})["z"], z[:, z.shape[1] // 2 :])
    z = z[:1, :, :].double().requires_grad_()
    direction = torch.randn(z.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def loss(at):
        return codec.decode({"z": at}, Y[:1], torch.Generator()).signals.square().sum()

    (gradient,) = torch.autograd.grad(loss(z), z)
    with torch.no_grad():
        step = 1e-6
        slope = (loss(z + step * direction) - loss(z - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-8)


def test_who_pays(root):
    free = codec_for("neural_audio", {"model": "encodec"}, target())
    assert free.decoder_bytes > 0
    assert free.decoder_training_data == "not stated"
    card = root / "encodec" / "codec_card.json"
    card.write_text(json.dumps({"training_data": "my sounds", "datasets": ["mine"]}))
    try:
        paid = codec_for("neural_audio", {"model": "encodec"}, target())
        codes = free.encode(sounds(), Y, {}) | paid.fit(None, torch.Generator())  # pyright: ignore[reportArgumentType]
        assert sum(4 * codes[leaf.name].numel() for leaf in paid.leaves()[1:]) == free.decoder_bytes
        mine, theirs = (c.decode(codes, Y, torch.Generator()).signals for c in (paid, free))
        torch.testing.assert_close(mine, theirs)
        assert paid.version != free.version
    finally:
        card.unlink()


def test_what_cannot_be_used_is_named(root):
    with pytest.raises(DataError, match="weights of gone are not here"):
        codec_for("neural_audio", {"model": "gone"}, target())
    bad = root / "bad"
    bad.mkdir()
    (bad / "model.safetensors").write_bytes((root / "dac" / "model.safetensors").read_bytes()[:500])
    for text, says in (
        ("{", "describes no model"),
        ('{"model_type": "bert"}', "takes dac and encodec"),
        ((root / "dac" / "config.json").read_text(), "cannot be loaded|do not fit"),
    ):
        (bad / "config.json").write_text(text)
        with pytest.raises(DataError, match=says):
            codec_for("neural_audio", {"model": "bad"}, target())


@pytest.mark.parametrize("name", ["encodec", "dac"])
def test_a_plan_may_ask_for_operations(root, name):
    one, two = (codec_for("neural_audio", {"model": name}, target(c)).work() for c in (1, 2))
    assert one.encode > 0
    assert one.decode > 0
    assert (two.encode, two.decode) == (2 * one.encode, 2 * one.decode), "channels go through it one by one"
