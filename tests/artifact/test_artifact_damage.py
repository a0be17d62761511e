"""Damaged and hostile sets are refused by name; nothing in them is ever executed."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import pytest
import torch
from made_up_sets import SIGNAL, card_for, forge

from ddbench import artifact, registry
from ddbench.artifact.distilled import leaf_cards
from ddbench.errors import ArtifactError
from ddbench.interfaces.codec import Ragged, Target
from ddbench.leaf import Leaf
from ddbench.spec.cell import Choice

X = torch.arange(48.0).reshape(3, 1, 4, 4)
LEAF = {"name": "x", "scope": "item", "shape": [1, 4, 4], "dtype": "float32", "side": False, "quantise": True}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A good set of the identity codec: one item of class a, two of class b."""
    codec = registry.build("codec", "identity", {}, Target(SIGNAL, 2, 10**6))
    card = card_for(list(codec.leaves()), (1, 2), codec=Choice(name="identity"), codec_version=codec.version)
    artifact.save(tmp_path, card, {"x": X})
    assert torch.equal(artifact.load(tmp_path).decode()[0], X)
    return tmp_path


def refused(folder: Path, name: str, what: str | None = None) -> None:
    with pytest.raises(ArtifactError, match=what) as error:
        artifact.load(folder).decode()
    assert str(folder / name) in str(error.value)


def test_any_flipped_bit_is_seen(folder):
    file = folder / "distilled.safetensors"
    good = file.read_bytes()
    for at in range(0, len(good), 7):
        file.write_bytes(good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1 :])
        refused(folder, "distilled.safetensors", "changed or damaged")


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_truncated_tensors(folder, kept):
    file = folder / "distilled.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    refused(folder, "distilled.safetensors", "changed or damaged")
    forge(folder)
    refused(folder, "distilled.safetensors", "not a safetensors file")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_truncated_card(folder, kept):
    card = folder / "distilled.json"
    card.write_bytes(card.read_bytes()[:kept])
    refused(folder, "distilled.json")


@pytest.mark.parametrize("name", ["distilled.safetensors", "distilled.json"])
def test_a_missing_half(folder, name):
    (folder / name).unlink()
    refused(folder, name)


@pytest.mark.parametrize("text", ["[]", "7", "null", '{"a": NaN}', "\x00", "[" * 100_000])
def test_a_card_that_is_none(folder, text):
    (folder / "distilled.json").write_text(text)
    refused(folder, "distilled.json")


@pytest.mark.parametrize("version", [2, 0, "1", None, [1]])
def test_an_unknown_format(folder, version):
    forge(folder, format_version=version)
    refused(folder, "distilled.json", "format")


def test_another_version_of_the_codec(folder):
    forge(folder, codec_version="0.9")
    refused(folder, "distilled.safetensors", r"version 0\.9 of the codec 'identity'")


@pytest.mark.parametrize(
    ("card", "what"),
    [
        ({"counts": [1, 3]}, "item/x"),
        ({"counts": [3]}, "1 of 2 classes"),
        ({"counts": [4, -1]}, "counts"),
        ({"storage": "float16"}, "item/x"),
        ({"storage": "float8"}, "storage"),
        ({"leaves": [{**LEAF, "shape": [4, 4]}]}, "item/x"),
        ({"leaves": [{**LEAF, "dtype": "__class__"}]}, "item/x"),
        ({"leaves": [{**LEAF, "scope": "set"}]}, "no leaf has scope"),
        ({"leaves": [LEAF, {**LEAF, "scope": "class"}]}, "one name"),
        ({"leaves": [LEAF, {**LEAF, "name": "more"}]}, "item/more"),
        ({"leaves": []}, "leaves"),
        ({"leaves": [{**LEAF, "shape": [0]}], "counts": [10**12, 1]}, "leaves"),
        ({"leaves": [{**LEAF, "name": "../x"}]}, "name"),
        ({"leaves": [{**LEAF, "name": "x.range"}]}, "name"),
        ({"leaves": [{**LEAF, "name": "x\n"}]}, "name"),
        ({"leaves": [{**LEAF, "name": ""}]}, "name"),
        ({"signal": {"shape": [1, 4, 4], "mean": [], "std": [1.0]}}, "mean"),
        ({"class_names": []}, "class_names"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_card_that_does_not_agree(folder, card, what):
    forge(folder, **card)
    with pytest.raises(ArtifactError, match=what) as error:
        artifact.load(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    "tensors",
    [
        {"item/x": X, "item/y": X},
        {"item/x": X, "x": X[0]},
        {"item/x": X, "../../etc/passwd": X},
        {},
        {"item/x": X[:2]},
        {"item/x": X.flatten(1)},
        {"item/x": X.double()},
        {"item/x": X.int()},
    ],
)
def test_other_tensors_than_the_cards(folder, tensors):
    forge(folder, tensors)
    refused(folder, "distilled.safetensors", "tensors that its card does not name|should hold")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(folder, bad):
    x = X.clone()
    x[1, 0, 2, 2] = bad
    forge(folder, {"item/x": x})
    with pytest.raises(ArtifactError, match=r"item/x.*not finite") as error:
        artifact.load(folder)
    assert str(folder / "distilled.safetensors") in str(error.value)


def test_leaves_that_agree_with_the_card_but_not_with_the_codec(folder):
    """The codec would fail somewhere inside; the message must name the file instead."""
    forge(folder, {"item/x": X[..., :3].contiguous()}, leaves=[{**LEAF, "shape": [1, 4, 3]}])
    artifact.load(folder)
    refused(folder, "distilled.safetensors", "other leaves")


def test_a_codec_that_is_not_installed(folder):
    forge(folder, codec={"name": "../../evil", "args": {}})
    with pytest.raises(Exception, match="no codec called") as error:
        artifact.load(folder).decode()
    assert type(error.value).__name__ == "PluginError"


OFFSETS = [[0, 2, 1, 3], [1, 2, 2, 3], [0, 1, 2, 2], [0, 1, 2, 9], [0, 3], [0, -5, 0, 3]]


@pytest.mark.parametrize("offsets", OFFSETS)
def test_offsets_that_do_not_cut_the_bytes(tmp_path, offsets):
    leaves = [Leaf("text", "item", None, "uint8")]
    artifact.save(tmp_path, card_for(leaves, (1, 2)), {"text": Ragged.of([b"a", b"b", b"c"])})
    values = torch.frombuffer(bytearray(b"abc"), dtype=torch.uint8)
    forge(tmp_path, {"item/text.values": values, "item/text.offsets": torch.tensor(offsets, dtype=torch.int32)})
    with pytest.raises(ArtifactError, match="offsets"):
        artifact.load(tmp_path)


class Bomb:
    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self):
        return (Path.touch, (self.flag,))


@pytest.mark.parametrize("kind", ["pickle", "torch"])
@pytest.mark.parametrize("digest_agrees", [False, True])
def test_nothing_unpickles(folder, kind, digest_agrees):
    flag = folder / "executed"
    data = io.BytesIO()
    (pickle.dump if kind == "pickle" else torch.save)({"item/x": X, "bomb": Bomb(flag)}, data)
    (folder / "distilled.safetensors").write_bytes(data.getvalue())
    if digest_agrees:
        forge(folder)
    refused(folder, "distilled.safetensors", "safetensors" if digest_agrees else "digest")
    assert not flag.exists()
    pickle.loads(pickle.dumps(Bomb(flag)))
    assert flag.exists(), "the bomb must work, or this test shows nothing"


def test_a_header_of_a_type_that_torch_does_not_know(folder):
    header = json.dumps({"item/x": {"dtype": "F8_E8M0", "shape": [48], "data_offsets": [0, 48]}}).encode()
    forge(folder, len(header).to_bytes(8, "little") + header + bytes(48))
    refused(folder, "distilled.safetensors")


def test_leaf_cards_keep_what_a_reader_needs():
    leaf = Leaf("z", "class", (2, 3), "float16", learned=False, lr_scale=2.0, side=True, quantise=False)
    (card,) = leaf_cards([leaf])
    assert card.model_dump() == {
        "name": "z", "scope": "class", "shape": (2, 3), "dtype": "float16", "side": True, "quantise": False,
        "of_method": False,
    }  # fmt: skip
