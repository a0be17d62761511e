"""Patches of shipped photographs: fixed by their seed, at every scale, test patches of other photographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddbench.data import load
from ddbench.datasets import photographs
from ddbench.datasets.photographs import COLOUR, GREY, Photographs, PhotographsConfig, crop
from ddbench.datasets.pictures import opened
from ddbench.errors import DataError
from ddbench.registry import contract_faults

pytest.importorskip("skimage")


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_are_those_of_the_card_and_the_same_again(channels):
    assert contract_faults("dataset", Photographs) == []
    config = PhotographsConfig(size=16, channels=channels, patches=80)
    first, again = load(Photographs(config)), load(Photographs(config))
    assert first.card == again.card
    assert first.card.signal.shape == (channels, 16, 16)
    assert torch.equal(first.train.signals, again.train.signals)
    assert (len(first.train), len(first.held_out)) == (80, 10)
    assert len(first.train.signals.flatten(1).unique(dim=0)) == 80
    assert first.train.labels.tolist() == [0] * 80
    assert Photographs(PhotographsConfig(size=16, channels=channels, patches=88)).card().revision != first.card.revision


def test_no_photograph_is_on_both_sides():
    for sides in (COLOUR, GREY):
        assert not set(sides["train"]) & set(sides["test"])


def test_a_crop_at_full_resolution_is_the_photographs_own_pixels(monkeypatch):
    monkeypatch.setattr(photographs, "crop", lambda extent, size, drawn: (5, 7, 5 + size, 7 + size))
    patches = Photographs(PhotographsConfig(size=16, patches=8)).load()[0].signals
    whole = np.asarray(opened(photographs.found(*COLOUR["train"][0])))
    np.testing.assert_array_equal(patches[0].numpy(), whole[7:23, 5:21].transpose(2, 0, 1))


def test_crops_lie_inside_and_their_scales_are_even_on_the_logarithmic_axis():
    draw = np.random.default_rng(0)
    boxes = np.array([crop((600, 400), 50, draw.random(3).tolist()) for _ in range(4000)])
    sides = boxes[:, 2] - boxes[:, 0]
    assert (sides == boxes[:, 3] - boxes[:, 1]).all()
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 600
    assert boxes[:, 3].max() <= 400
    shares = np.histogram(np.log2(sides / 50), bins=[-0.1, 1, 2, 3.1])[0] / 4000
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    assert crop((30, 20), 50, [0.5, 0.999, 0.999]) == (10, 0, 30, 20)


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr(photographs, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"astronaut\.png of the package skimage.*ddbench\[photographs\]"):
        Photographs().card()
