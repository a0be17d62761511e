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
MEANT_FOR = {"grey_f4_mnist": "fashion_mnist", "grey_f4_fashion": "mnist"}


def card(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name / "codec_card.json").read_text())


def test_they_are_few_bytes_and_all_of_them_are_known_here() -> None:
    assert {p.name for p in FOLDER.iterdir() if p.is_dir()} == set(MEANT_FOR)
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
    named = {words[i + 1].partition("{")[0] for i, word in enumerate(words) if word == "--dataset"}
    assert MEANT_FOR[name] not in named
    assert {n.partition("_other")[0] for n in said["datasets"]} == named


@pytest.mark.parametrize("name", MEANT_FOR)
def test_the_weights_are_of_the_network_that_the_command_asks_for(name: str) -> None:
    words = shlex.split(card(name)["trained"]["command"])
    given = [words[i + 1].split("=") for i, word in enumerate(words) if word == "--set"]
    known = {"f", "channels", "width", "layers", "groups", "in_channels"}
    config = KlTrainConfig(**{k: int(v) for k, v in given if k in known})
    model = AutoencoderKL.from_pretrained(FOLDER / name)
    assert {n: p.shape for n, p in model.named_parameters()} == {
        n: p.shape for n, p in network(config).named_parameters()
    }
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", MEANT_FOR)
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
