"""A distilled set is written whole, measured, and read back as it was stored."""

from __future__ import annotations

import errno
import os

import pytest
import torch
from made_up_sets import SIGNAL, card_for, sizes_on_disk, some_codes

from ddbench import artifact, registry
from ddbench.artifact.distilled import leaf_cards
from ddbench.errors import ArtifactError, RunError
from ddbench.interfaces.codec import Ragged, Target
from ddbench.leaf import Leaf
from ddbench.spec.cell import Choice

LEAVES = [
    Leaf("z", "item", (2, 3)),
    Leaf("text", "item", None, "uint8", learned=False),
    Leaf("mask", "class", (2,), "uint8", learned=False, side=True),
    Leaf("basis", "set", (4, 6), quantise=False),
    Leaf("rate", "set", (), side=True),
]
COUNTS = (2, 0, 3)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(a, b) -> bool:
    if isinstance(a, Ragged):
        return isinstance(b, Ragged) and [a.row(i) for i in range(len(a))] == [b.row(i) for i in range(len(b))]
    return a.dtype == b.dtype and torch.equal(a, b)


def test_a_set_comes_back_with_its_card(tmp_path):
    codes = some_codes(LEAVES, COUNTS, draw())
    card = artifact.save(tmp_path, card_for(LEAVES, COUNTS), codes)
    for path in (tmp_path, tmp_path / "distilled.safetensors", tmp_path / "distilled.json"):
        found = artifact.load(path)
        assert found.card == card
        assert all(same(found.codes[leaf.name], codes[leaf.name]) for leaf in LEAVES)
        assert found.labels.tolist() == [0, 0, 2, 2, 2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["distilled.json", "distilled.safetensors"]


def test_a_path_that_is_no_set_is_not_answered_with_its_neighbour(tmp_path):
    artifact.save(tmp_path, card_for(LEAVES, COUNTS), some_codes(LEAVES, COUNTS, draw()))
    for name in ("missing", "other.safetensors"):
        with pytest.raises(ArtifactError, match=name):
            artifact.load(tmp_path / name)
    (tmp_path / "other.safetensors").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"distilled\.json"):
        artifact.load(tmp_path / "other.safetensors")


def test_parts_and_side_information_by_hand(tmp_path):
    codes = some_codes(LEAVES, COUNTS, draw())
    text = codes["text"]
    assert isinstance(text, Ragged)
    artifact.save(tmp_path, card_for(LEAVES, COUNTS, "uint8"), codes)
    found = artifact.load(tmp_path)
    assert found.parts == sizes_on_disk(tmp_path / "distilled.safetensors") == {
        "item/z": 5 * 6, "item/z.range": 5 * 8, "item/text.values": len(text.values), "item/text.offsets": 6 * 4,
        "class/mask": 3 * 2, "set/basis": 4 * 6 * 4, "set/rate": 1, "set/rate.range": 8,
    }  # fmt: skip
    assert found.side_bytes == 5 * 8 + 6 * 4 + 3 * 2 + 1 + 8


def test_leaves_that_share_memory_are_stored_each(tmp_path):
    leaves = [Leaf("a", "item", (2,)), Leaf("b", "item", (2,))]
    x = torch.arange(6.0).reshape(3, 2)
    artifact.save(tmp_path, card_for(leaves, (3,)), {"a": x, "b": x})
    found = artifact.load(tmp_path)
    assert torch.equal(found.codes["a"], x)
    assert torch.equal(found.codes["b"], x)


def test_a_set_decodes_to_what_its_codec_decodes(tmp_path):
    """Through the file, at 16 bits: signals of the rounded codes, labels of their items."""
    target = Target(SIGNAL, 2, 10**6, "float16")
    codec = registry.build("codec", "downsample", {"factor": 2}, target)
    codes = codec.encode(torch.randn(3, 1, 4, 4, generator=draw()), torch.tensor([0, 1, 1]), {})
    leaves = codec.leaves()
    choice = Choice(name="downsample", args={"factor": 2})
    card = card_for(list(leaves), (1, 2), "float16", codec=choice, codec_version=codec.version)
    artifact.save(tmp_path, card, codes)
    x, y = artifact.load(tmp_path).decode()
    rounded = codec.decode({"x": codes["x"].half().float()}, torch.tensor([0, 1, 1]), draw())
    assert torch.equal(x, rounded.signals)
    assert y.tolist() == [0, 1, 1]
    assert not torch.equal(x, codec.decode(codes, torch.tensor([0, 1, 1]), draw()).signals)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"z": None}, "'z'"),
        ({"z": torch.zeros(4, 2, 3)}, "'z'"),
        ({"z": torch.zeros(5, 3, 2)}, "'z'"),
        ({"mask": torch.zeros(5, 2, dtype=torch.uint8)}, "'mask'"),
        ({"text": Ragged.of([b"a"] * 4)}, "'text'"),
        ({"text": torch.zeros(5, 3)}, "'text'"),
        ({"rate": torch.tensor(float("nan"))}, "'rate'"),
    ],
)
def test_codes_that_are_not_the_cards_are_refused_and_nothing_is_written(tmp_path, change, named):
    codes = some_codes(LEAVES, COUNTS, draw()) | change
    with pytest.raises(ArtifactError, match=named):
        artifact.save(tmp_path, card_for(LEAVES, COUNTS), {n: c for n, c in codes.items() if c is not None})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_the_old_set(tmp_path, monkeypatch, failing):
    old = some_codes(LEAVES, COUNTS, draw(0))
    artifact.save(tmp_path, card_for(LEAVES, COUNTS), old)
    calls, fsync = [], os.fsync

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        artifact.save(tmp_path, card_for(LEAVES, COUNTS), some_codes(LEAVES, COUNTS, draw(1)))
    found = artifact.load(tmp_path)
    assert all(same(found.codes[n], c) for n, c in old.items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["distilled.json", "distilled.safetensors"]


def test_new_tensors_under_the_old_card_are_not_taken_for_a_set(tmp_path):
    """What a machine that dies between the two replacements leaves behind."""
    artifact.save(tmp_path, card_for(LEAVES, COUNTS), some_codes(LEAVES, COUNTS, draw(0)))
    old_card = (tmp_path / "distilled.json").read_bytes()
    artifact.save(tmp_path, card_for(LEAVES, COUNTS), some_codes(LEAVES, COUNTS, draw(1)))
    (tmp_path / "distilled.json").write_bytes(old_card)
    with pytest.raises(ArtifactError, match="digest"):
        artifact.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RunError, match="nowhere"):
        artifact.save(tmp_path / "nowhere", card_for(LEAVES, COUNTS), some_codes(LEAVES, COUNTS, draw()))


def test_leaves_of_the_method_are_marked():
    assert [x.of_method for x in (*leaf_cards(LEAVES[:1]), *leaf_cards(LEAVES[4:], of_method=True))] == [False, True]
