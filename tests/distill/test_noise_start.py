"""First items that are noise: N(0, 1) in match space, in both spaces; what is not an item comes from real signals."""

from __future__ import annotations

import pytest
import torch
from distill_helpers import MeanMatcher, Plain, Tiles, data_of, target_of
from test_build import shop_of

from ddbench.distill.build import learn_set
from ddbench.interfaces.method import MatcherConfig


class FromNoise(MeanMatcher):
    def start(self):
        return "noise"


def first(codec, space: str = "signal", seed: int = 2, cap: int = 3 * 128 * 100, kind=FromNoise):
    data = data_of((400, 350, 373))
    made = codec(target_of(data)) if codec is Tiles else codec(None, target_of(data))
    matcher = kind(MatcherConfig(iterations=0, lr=0.1))
    return learn_set(shop_of(made, data, cap, space, seed), matcher, None, lambda p: None), data


@pytest.mark.parametrize("codec", [Plain, Tiles])
def test_noise_in_signal_space_is_standard_normal(codec) -> None:
    built, _ = first(codec)
    z = built.codes["x" if codec is Plain else "z"]
    assert z.shape[0] == sum(built.counts)
    values = z.double().flatten()
    assert abs(float(values.mean())) < 5 / len(values) ** 0.5
    assert float(values.std()) == pytest.approx(1, abs=5 / (2 * len(values)) ** 0.5)
    assert len(z.flatten(1).unique(dim=0)) == len(z)


def test_noise_in_code_space_is_standard_normal_after_standardisation() -> None:
    built, data = first(Plain, "code")
    x = data.signals(torch.arange(len(data.train))).double()
    mean, std = x.mean((0, 2, 3)), x.transpose(0, 1).flatten(1).std(1)
    z = (built.codes["x"].double() - mean[:, None, None]) / std[:, None, None]
    assert abs(float(z.mean())) < 5 / z.numel() ** 0.5
    assert float(z.std()) == pytest.approx(1, abs=5 / (2 * z.numel()) ** 0.5)


@pytest.mark.parametrize("space", ["signal", "code"])
def test_noise_belongs_to_the_seed_and_real_items_to_other_matchers(space: str) -> None:
    one, again, other, real = (
        first(Plain, space, **more)[0].codes for more in ({}, {}, {"seed": 3}, {"kind": MeanMatcher})
    )
    assert torch.equal(one["x"], again["x"])
    assert not torch.allclose(one["x"], other["x"])
    assert not torch.allclose(one["x"], real["x"])


def test_class_and_set_leaves_still_come_from_real_signals() -> None:
    noise, real = first(Tiles)[0].codes, first(Tiles, kind=MeanMatcher)[0].codes
    assert set(noise) == set(real)
    for name in ("shift", "gain", "weight"):
        assert torch.equal(noise[name], real[name]), name
