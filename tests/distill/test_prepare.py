"""What names a match space for everything that is prepared in it, and what a preparation hands out."""

from __future__ import annotations

import pytest
import torch
from distill_helpers import CPU, LinearNetwork, Plain, codes_of, data_of, other_revision, target_of
from torch import Generator, Tensor

from ddbench.distill.prepare import Preparation, identity, state_digest
from ddbench.distill.space import match_space
from ddbench.interfaces.codec import Codes
from ddbench.spec.cell import Cell


def cell(space: str = "signal", codec: str = "made_up", seed: int = 0, width: int = 8, **protocol) -> Cell:
    made_up = {"name": "made_up"}
    return Cell.model_validate({
        "dataset": made_up, "codec": {"name": codec}, "method": made_up, "space": space, "storage": "float32",
        "network": {"name": "made_up", "args": {"width": width}}, "budget": {"bytes_per_class": 5 + seed},
        "protocol": protocol, "seed": seed,
        "versions": {"dataset": "rev-1", "codec": "1", "method": "1", "network": "1", "students": ["1"]},
    })  # fmt: skip


def name_of(of: Cell, data=None, shift: float = 0.0) -> dict[str, object]:
    data = data or data_of()
    codec = Plain(None, target_of(data))
    codes, _ = codes_of(data, codec, 2)
    offset = codes["offset"]
    assert isinstance(offset, Tensor)
    codes["offset"] = offset + shift
    return identity(of, data, codec, LinearNetwork(), match_space(of.space, data, codec, codes, CPU), codes)


@pytest.mark.parametrize("space", ["signal", "code"])
def test_seed_and_budget_do_not_name_a_space(space: str) -> None:
    assert name_of(cell(space)) == name_of(cell(space, seed=3))


def test_the_codec_and_its_state_name_code_space_alone() -> None:
    assert name_of(cell()) == name_of(cell(codec="other")) == name_of(cell(), shift=1.0)
    found = [name_of(cell("code")), name_of(cell("code", codec="other")), name_of(cell("code"), shift=1.0)]
    assert all(a != b for i, a in enumerate(found) for b in found[:i])


def test_data_augmentation_network_and_held_out_part_name_a_space() -> None:
    found = [
        name_of(cell()),
        name_of(cell(width=9)),
        name_of(cell(evaluate_on="validation")),
        name_of(cell(), other_revision(data_of())),
        name_of(cell(), data_of(augmentation="crop")),
        name_of(cell("code")),
    ]
    assert all(a != b for i, a in enumerate(found) for b in found[:i])


def test_state_digest_sees_names_types_shapes_and_numbers() -> None:
    base = torch.arange(4.0)
    states: list[Codes] = [{"a": base}, {"b": base}, {"a": base.double()}, {"a": base.reshape(2, 2)}, {"a": base + 1}]
    states.append({"a": torch.tensor(1.0)})
    assert len({state_digest(s) for s in states}) == len(states)
    assert state_digest({"a": base, "b": base}) == state_digest({"b": base.clone(), "a": base.clone()})


def test_a_preparation_hands_out_the_spaces_own() -> None:
    data = data_of(augmentation="flip")
    codec = Plain(None, target_of(data))
    space = match_space("signal", data, codec, {}, CPU)
    task = Preparation(data, space, LinearNetwork(), {"a": 1})
    index = torch.tensor([3, 1])
    assert torch.equal(task.real(index), data.signals(index))
    assert torch.equal(task.labels, data.train.labels)
    assert task.seed("x", i=1) == task.seed("x", i=1) != task.seed("x", i=2)
    assert task.seed("x") != Preparation(data, space, LinearNetwork(), {"a": 2}).seed("x")
    weights = [next(iter(task.network(s).parameters())) for s in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    x = data.signals(torch.arange(20))
    draws = task.augmentations(20, Generator().manual_seed(0))
    flipped = [bool(torch.equal(a, b.flip(-1))) for a, b in zip(next(draws)(x), x)]
    assert 0 < sum(flipped) < 20
