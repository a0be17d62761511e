"""Sounds as signals: the front end against a slow DFT, files of every kind, and what is said of bad ones."""

from __future__ import annotations

import wave
from math import cos, log, log10, pi, sin
from pathlib import Path

import numpy as np
import pytest

from ddbench import data, registry
from ddbench.datasets.log_mel import LogMel
from ddbench.datasets.sound_files import samples
from ddbench.display import Spectrogram
from ddbench.errors import DataError

RATE = 800
FRONT = {"rate": RATE, "bands": 6, "window_s": 0.04, "hop_s": 0.02, "seconds": 0.5}


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path: Path, x: np.ndarray, rate: int = RATE, width: int = 2, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        scaled = np.round(x * (2.0 ** (8 * width - 1) - 1)) + (128 if width == 1 else 0)
        file.writeframes(scaled.astype("<u1" if width == 1 else f"<i{width}").tobytes())


def slow_log_mel(x: list[float], rate: int, bands: int, window: int, hop: int, size: int) -> list[list[float]]:
    """Band by band, by the definition of each step."""

    def mel(f: float) -> float:
        return 2595 * log10(1 + f / 700)

    corners = [700 * (10 ** (mel(rate / 2) * i / (bands + 1) / 2595) - 1) for i in range(bands + 2)]
    x = x + [0.0] * (window - len(x))
    out: list[list[float]] = [[] for _ in range(bands)]
    for start in range(0, len(x) - window + 1, hop):
        energies = []
        for k in range(size // 2 + 1):
            re = im = 0.0
            for n in range(window):
                v = x[start + n] * (0.5 - 0.5 * cos(2 * pi * n / window))
                re += v * cos(2 * pi * k * n / size)
                im -= v * sin(2 * pi * k * n / size)
            energies.append(re * re + im * im)
        for b in range(bands):
            low, mid, high = corners[b : b + 3]
            total = 0.0
            for k, energy in enumerate(energies):
                f = k * rate / size
                if low < f <= mid:
                    total += energy * (f - low) / (mid - low)
                elif mid < f < high:
                    total += energy * (high - f) / (high - mid)
            out[b].append(log(total + 1e-6))
    return out


@pytest.mark.parametrize("n", [10, 32, 100])
def test_log_mel_is_its_definition(n):
    x = np.random.default_rng(0).uniform(-1, 1, n)
    front = LogMel(RATE, 6, 0.03, 0.02)
    assert (front.window, front.hop, front.size) == (24, 16, 32)
    want = np.array(slow_log_mel(x.tolist(), RATE, 6, 24, 16, 32))
    np.testing.assert_allclose(front(x), want, rtol=1e-5, atol=1e-5)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data" / "sounds"


def two_tones(root: Path, n: int = 5, seconds: float = 0.5) -> None:
    for name, hertz in (("low", 50), ("high", 300)):
        for i in range(n):
            write(root / name / f"{i}.wav", tone(hertz + i, seconds - 0.05 * i))


def sounds(**args):
    return registry.build("dataset", "audio_folder", FRONT | args)


def test_a_tree_becomes_spectrograms_split_by_content(root):
    two_tones(root)
    dataset = sounds()
    loaded = data.load(dataset)
    card = loaded.card
    assert (card.class_names, card.train_size, card.test_size) == (("high", "low"), 8, 2)
    assert (card.signal.bare.shape, card.signal.mask, card.signal.augmentation) == ((6, 24), True, "timemask_bandmask")
    assert dataset.display() is Spectrogram
    bands = (loaded.train.signals[:, :-1] * loaded.train.signals[:, -1:]).sum(2) / loaded.train.signals[:, -1:].sum(2)
    highest = bands.argmax(1)
    assert highest[loaded.train.labels == 1].max() < highest[loaded.train.labels == 0].min()
    assert sorted(loaded.held_out.labels.tolist()) == [0, 1]
    for old in root.rglob("*.wav"):  # names and places are no matter
        old.rename(old.with_name(f"z{old.name}"))
    assert sounds().card().revision == card.revision


def test_waves_and_folders_of_both_sides(root):
    for part in ("train", "test"):
        for name in ("a", "b"):
            write(root / part / name / "x.wav", tone(50 if name == "a" else 90, 0.25))
    loaded = data.load(sounds(front="wave", seconds=0.2))
    assert (loaded.card.signal.shape, loaded.card.signal.mask) == ((1, 160), False)
    np.testing.assert_allclose(loaded.train.signals[0, 0].numpy(), tone(50, 0.2), atol=1e-4)
    (root / "test" / "c").mkdir()
    with pytest.raises(DataError, match="The classes c are not in both"):
        sounds().card()


def test_signals_come_from_the_cache_and_a_damaged_one_is_made_anew(root, monkeypatch):
    two_tones(root)
    first = sounds().load()[0].signals
    (kept,) = (root.parents[1] / "cache" / "audio").glob("*.npz")
    from ddbench.datasets import audio_folder

    calls = []
    whole = audio_folder._signal
    monkeypatch.setattr(audio_folder, "_signal", lambda *a: calls.append(a) or whole(*a))
    audio_folder._signals.cache_clear()
    assert sounds().load()[0].signals.equal(first)
    assert not calls
    kept.write_bytes(kept.read_bytes()[:100])
    audio_folder._signals.cache_clear()
    assert sounds().load()[0].signals.equal(first)
    assert len(calls) == 10


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_width_and_the_mean_of_channels(tmp_path, width, channels):
    x = tone(40, 0.1)
    write(tmp_path / "x.wav", np.stack([x, 0 * x], 1).ravel() if channels == 2 else x, width=width, channels=channels)
    np.testing.assert_allclose(samples(tmp_path / "x.wav", RATE, False), x / channels, atol=2.0 ** (2 - 8 * width))


def test_flac(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "x.flac", tone(40), RATE, subtype="PCM_16")
    np.testing.assert_allclose(samples(tmp_path / "x.flac", RATE, False), tone(40), atol=1e-4)
    (tmp_path / "y.flac").write_bytes(b"fLaC")
    with pytest.raises(DataError, match=r"y\.flac is no FLAC file"):
        samples(tmp_path / "y.flac", RATE, False)


def test_another_rate_is_an_error_or_resampled(tmp_path):
    write(tmp_path / "x.wav", tone(30, 1, 2 * RATE), 2 * RATE)
    with pytest.raises(DataError, match=r"x\.wav has 1600 samples a second; the dataset is declared at 800"):
        samples(tmp_path / "x.wav", RATE, False)
    back = samples(tmp_path / "x.wav", RATE, True)
    assert len(back) == RATE
    np.testing.assert_allclose(back[50:-50], tone(30, 1)[50:-50], atol=5e-3)


def test_broken_files_are_named_all_at_once(root):
    two_tones(root)
    (root / "low" / "a.wav").write_bytes(b"RIFF")
    (root / "low" / "b.wav").write_bytes(b"no sound at all")
    write(root / "high" / "c.wav", np.zeros(0))
    with pytest.raises(DataError) as error:
        sounds().card()
    assert all(word in str(error.value) for word in ("a.wav is no WAV", "b.wav is no WAV", "c.wav holds no samples"))


def test_what_the_layout_lacks(root):
    with pytest.raises(DataError, match="There is no folder"):
        sounds().card()
    write(root / "a" / "1.wav", tone(30))
    with pytest.raises(DataError, match="two class folders or more"):
        sounds().card()
    two_tones(root)
    with pytest.raises(DataError, match=r"each with 2 or more of .*; a has 1"):
        sounds().card()
