"""Checkpoints come back exactly, or are refused by name."""

from __future__ import annotations

import hashlib
import pickle

import pytest
import torch
from safetensors.torch import save

from ddbench.distill.checkpoint import read_checkpoint, write_checkpoint
from ddbench.distill.loop import Progress
from ddbench.errors import ArtifactError, RunError

KEY = "a" * 64


def progress() -> Progress:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, generator=draw)
    return Progress(
        7,
        {"x": x, "half": torch.randn(2, generator=draw).half()},
        {"x": torch.randn(3, 4, generator=draw).T},
        {"alias": x, "part": x[:2], "count": torch.tensor(3), "of/slash": torch.ones(1, dtype=torch.bool)},
        losses=[(0, 0.1 + 0.2), (3, 1e-300)],
    )


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "c", progress(), KEY, 12.25)
    return tmp_path / "c"


def test_everything_comes_back_exactly(path):
    found = read_checkpoint(path, KEY)
    assert found is not None
    back, seconds = found
    wanted = progress()
    assert (back.step, back.losses, seconds) == (7, wanted.losses, 12.25)
    for group in ("params", "momentum", "state"):
        a, b = getattr(back, group), getattr(wanted, group)
        assert a.keys() == b.keys()
        assert all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)


def test_none_is_none_and_another_cells_is_refused(path):
    assert read_checkpoint(path.with_name("other"), KEY) is None
    with pytest.raises(ArtifactError, match="another cell"):
        read_checkpoint(path, "b" * 64)


def test_damage_is_seen(path):
    good = path.read_bytes()
    damage = [b"", good[:31], good[:100], good[:-1], good + b"x", pickle.dumps({"x": 1})]
    damage += [good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :] for at in range(0, len(good), 11)]
    for bad in damage:
        path.write_bytes(bad)
        with pytest.raises(ArtifactError, match=str(path)):
            read_checkpoint(path, KEY)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no safetensors", save({"params/x": torch.ones(2)}), save({"params/x": torch.ones(2)}, {"note": "["}),
        save({"params/x": torch.ones(2)}, {"note": "{}"}), save({"params/x": torch.ones(2)}, {"note": "[]"}),
        save({"odd/x": torch.ones(2)}, {"note": f'{{"key": "{KEY}", "step": 1, "losses": [], "seconds": 0}}'}),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_good_digest_does_not_make_a_checkpoint(path, body):
    path.write_bytes(hashlib.sha256(body).digest() + body)
    with pytest.raises(ArtifactError, match=str(path)):
        read_checkpoint(path, KEY)


def test_an_unreadable_or_unwritable_place_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        read_checkpoint(tmp_path, KEY)
    with pytest.raises(RunError, match="missing"):
        write_checkpoint(tmp_path / "missing" / "c", progress(), KEY, 0)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(path, monkeypatch):
    good = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="No space left"):
        write_checkpoint(path, Progress(8), KEY, 1)
    assert path.read_bytes() == good
    assert [p.name for p in path.parent.iterdir()] == ["c"]
