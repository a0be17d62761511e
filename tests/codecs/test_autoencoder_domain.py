"""Which weights know which datasets: subsets of ImageNet are one family, the two parts of the drawings are two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from codec_helpers import target
from ddbench_codecs.autoencoders.domain import in_domain
from ddbench_codecs.autoencoders.known import KNOWN
from picture_trees import clipart_tree, imagenet_tree
from tiny_autoencoders import save

from ddbench import registry
from ddbench.datasets.imagenet import subsets
from ddbench.interfaces.dataset import DatasetCard

DC_AE = "mit-han-lab/dc-ae-f32c32-in-1.0-diffusers"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "data"
    monkeypatch.setenv("DDBENCH_DATA", str(root))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    return root


def card(name: str, **args: Any) -> DatasetCard:
    return registry.build("dataset", name, args).card()


def test_what_saw_imagenet_knows_every_subset_of_it(data: Path) -> None:
    known = subsets()
    for subset in ("imagenette", "imagewoof"):
        imagenet_tree(data / "imagenet", [wnid for wnid, _ in known[subset]], 1, 1)
    cards = [card("imagenette", size=16)]
    cards += [card("imagenet_subset", subset=subset, size=16) for subset in ("imagenette", "imagewoof")]
    for each in cards:
        assert in_domain(KNOWN[DC_AE].datasets, each.family)
        assert in_domain(["imagenette"], each.family), "what saw one subset may have seen the pictures of another"
        assert not in_domain(["photographs", "clipart10"], each.family)
    assert len({each.name for each in cards}) == 3


def test_what_saw_the_other_drawings_does_not_know_the_ten_classes(data: Path) -> None:
    clipart_tree(data / "openclipart" / "png")
    ten, other = (card("clipart10", size=16, part=part).family for part in ("ten", "other"))
    assert ten != other
    assert in_domain([other], other)
    assert in_domain([ten], ten)
    assert not in_domain([other, "photographs"], ten)
    assert not in_domain([ten], other)


def test_only_on_its_own_drawings_is_a_decoder_paid_for(data: Path) -> None:
    clipart_tree(data / "openclipart" / "png")
    families = {part: card("clipart10", size=16, part=part).family for part in ("ten", "other")}
    models = data.parent / "models"
    save(models / "mine", card={"name": "mine", "training_data": "drawings", "datasets": [families["other"]]})
    charged = {}
    for part, family in families.items():
        goal = replace(target(3, 16, 16), family=family)
        charged[part] = registry.build("codec", "autoencoder", {"model": "mine"}, goal).charged
    assert charged == {"ten": False, "other": True}
