"""Named random streams: their seeds are golden, since every published cell rests on them."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from ddbench import rng

GOLDEN = [
    ("initial", {"dataset": "r", "seed": 0}, 3930850426303798571),
    ("a", {}, 2370552851889665975),
    ("match", {"seed": 3, "step": 7, "name": "réal"}, 7057129695844437092),
]


@pytest.mark.parametrize(("axis", "coordinates", "wanted"), GOLDEN)
def test_seeds_never_change(axis, coordinates, wanted):
    assert rng.seed(axis, **coordinates) == wanted


@pytest.mark.parametrize(("axis", "coordinates", "wanted"), GOLDEN)
def test_a_seed_is_the_digests_first_63_bits(axis, coordinates, wanted):
    text = json.dumps([axis, coordinates], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    bits = "".join(f"{byte:08b}" for byte in hashlib.sha256(text.encode()).digest())
    assert rng.seed(axis, **coordinates) == int(bits[:63], 2)


def test_order_of_coordinates_does_not_matter_but_their_values_do():
    assert rng.seed("x", a=1, b=2) == rng.seed("x", b=2, a=1)
    assert (
        len({rng.seed("x", a=1, b=2), rng.seed("x", a=2, b=1), rng.seed("y", a=1, b=2), rng.seed("x", a="1", b=2)}) == 4
    )


def test_a_generator_starts_its_stream_over_and_leaves_the_global_one_alone():
    before = torch.random.get_rng_state()
    first, again = rng.generator("x", seed=1), rng.generator("x", seed=1)
    assert torch.rand(5, generator=first).tolist() == torch.rand(5, generator=again).tolist()
    assert torch.rand(5, generator=rng.generator("x", seed=2)).tolist() != torch.rand(5, generator=again).tolist()
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.randperm(8, generator=rng.generator("initial", dataset="r", seed=0)).tolist() == [
        4,
        5,
        1,
        6,
        3,
        2,
        7,
        0,
    ]


def test_nan_is_no_coordinate():
    with pytest.raises(ValueError, match="JSON"):
        rng.seed("x", lr=float("nan"))
