"""The weights that the package ships: small, loaded by diffusers, never trained on what they are meant for."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import ddbench_codecs
import pytest
import torch
from codec_helpers import target
from ddbench_codecs.kl_config import KlTrainConfig, network
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch.nn.functional import interpolate

from ddbench import registry
from ddbench.data import load

FOLDER = Path(ddbench_codecs.__file__).parent / "weights"
MOST_BYTES = 3_000_000
MEANT_FOR = {
    "grey_f4_mnist": "fashion_mnist", "grey_f4_fashion": "mnist", "clipart_f4": "clipart10", "clipart_f8": "clipart10",
}  # fmt: skip
GREY = [name for name in MEANT_FOR if name.startswith("grey")]
COLOUR = [name for name in MEANT_FOR if name not in GREY]


def card(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name / "codec_card.json").read_text())


def test_they_are_few_bytes_and_all_of_them_are_known_here() -> None:
    assert {p.name for p in FOLDER.iterdir() if p.is_dir()} == {*MEANT_FOR, "series_f4"}
    assert sum(p.stat().st_size for p in FOLDER.rglob("*")) <= MOST_BYTES


@pytest.mark.parametrize("name", MEANT_FOR)
def test_they_never_saw_the_dataset_that_they_are_meant_for(name: str) -> None:
    said = card(name)
    assert said["name"] == name
    assert MEANT_FOR[name] not in said["datasets"]
    assert MEANT_FOR[name] not in said["training_data"].split()
    assert said["datasets"]
    # what the command names is what the card says
    words = shlex.split(said["trained"]["command"])
    named = {family(words[i + 1]) for i, word in enumerate(words) if word == "--dataset"}
    assert set(said["datasets"]) == named
    assert words[-2:] == ["--out", name]


def family(text: str) -> str:
    """Of a dataset of the command line, as the drawings' two parts are told apart."""
    given, _, args = text.partition("{")
    return f"{given}_other" if "part: other" in args else given


@pytest.mark.parametrize("name", MEANT_FOR)
def test_the_card_is_of_the_steps_that_the_command_asks_for(name: str) -> None:
    said = card(name)["trained"]
    assert f"--set steps={said['steps']} " in said["command"]
    assert f"--set batch={said['batch']} " in said["command"]
    assert said["best_step"] <= said["steps"]


def test_the_grey_pair_is_trained_alike_but_for_the_first_set() -> None:
    digits, clothes = (card(name)["trained"]["command"] for name in ("grey_f4_mnist", "grey_f4_fashion"))
    assert digits.replace("--dataset mnist", "--dataset fashion_mnist").replace("grey_f4_mnist", "") == clothes.replace(
        "grey_f4_fashion", ""
    )


@pytest.mark.parametrize("name", MEANT_FOR)
def test_the_weights_are_of_the_network_that_the_command_asks_for(name: str) -> None:
    words = shlex.split(card(name)["trained"]["command"])
    given = [words[i + 1].split("=") for i, word in enumerate(words) if word == "--set"]
    known = {"f", "channels", "width", "layers", "groups", "in_channels", "crop"}
    config = KlTrainConfig(**{k: int(v) for k, v in given if k in known})
    model = AutoencoderKL.from_pretrained(FOLDER / name)
    assert {n: p.shape for n, p in model.named_parameters()} == {
        n: p.shape for n, p in network(config).named_parameters()
    }
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", GREY)
def test_on_clothes_they_lose_less_than_as_many_numbers_of_a_smaller_picture(name: str) -> None:
    data = load(registry.build("dataset", "fashion_mnist_small"))
    x, signal = data.held_out.signals[:64].float() / 255, target(1, 28, 28).signal
    codec = registry.build("codec", "autoencoder", {"model": f"shipped:{name}"}, target(1, 28, 28))
    y = torch.zeros(64, dtype=torch.int64)
    codes = codec.encode(signal.normalise(x), y, {})
    seen = signal.denormalise(codec.decode(codes, y, torch.Generator()).signals).clamp(0, 1)
    small = interpolate(x, (14, 14), mode="bilinear", antialias=True)
    resized = interpolate(small, (28, 28), mode="bilinear").clamp(0, 1)
    assert codes["z"].shape == (64, 4, 7, 7)
    assert ((seen - x) ** 2).mean() < 0.5 * ((resized - x) ** 2).mean()
    assert 0.3 < codes["z"].std() < 3.0, "the constants in config.json bring codes to about unit variance"


@pytest.mark.parametrize(("name", "f", "side"), [("clipart_f4", 4, 22), ("clipart_f8", 8, 10)])
def test_on_unseen_photographs_they_lose_less_than_more_numbers_of_a_smaller_picture(
    name: str, f: int, side: int
) -> None:
    data = load(registry.build("dataset", "photographs", {"size": 64, "patches": 64}))
    x, goal = data.held_out.signals.float() / 255, target(3, 64, 64)
    codec = registry.build("codec", "autoencoder", {"model": f"shipped:{name}"}, goal)
    y = torch.zeros(len(x), dtype=torch.int64)
    codes = codec.encode(goal.signal.normalise(x), y, {})
    seen = goal.signal.denormalise(codec.decode(codes, y, torch.Generator()).signals).clamp(0, 1)
    small = interpolate(x, (side, side), mode="bilinear", antialias=True)
    resized = interpolate(small, (64, 64), mode="bilinear").clamp(0, 1)
    assert codes["z"].shape == (len(x), 4, 64 // f, 64 // f)
    assert codes["z"][0].numel() < small[0].numel()
    assert ((seen - x) ** 2).mean() < 0.8 * ((resized - x) ** 2).mean()
    assert 0.3 < codes["z"].std() < 3.0
