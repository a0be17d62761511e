"""The content cache: computed once, computed anew where an entry is damaged, never a reason to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddbench.store import Touched, cache_root, cached, entry_path, listening

WANTED = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2], dtype=torch.int32)}


class Compute:
    """Counts how often it is called."""

    def __init__(self, values: dict[str, Tensor] | None = None) -> None:
        self.calls, self.values = 0, values or WANTED

    def __call__(self) -> dict[str, Tensor]:
        self.calls += 1
        return self.values


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)


def entry(root: Path) -> Path:
    (file,) = (p for p in root.rglob("*") if p.is_file())
    return file


def test_tensors_are_computed_once_for_their_coordinates():
    compute = Compute()
    assert same(cached("fit", {"x": 1, "y": 2}, compute), WANTED)
    assert same(cached("fit", {"y": 2, "x": 1}, compute), WANTED)
    assert compute.calls == 1
    cached("fit", {"x": 1, "y": 3}, compute)
    cached("other", {"x": 1, "y": 2}, compute)
    assert compute.calls == 3


def test_damaged_entries_are_computed_anew_and_mended(root):
    """A flipped bit anywhere: in the numbers too, where safetensors alone would not see it."""
    compute = Compute()
    cached("fit", {}, compute)
    file = entry(root)
    good = file.read_bytes()
    damage = [b"", good[:20], good[:-1], good + b"\0", b"\x80\x04."]
    damage += [good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :] for at in range(0, len(good), 5)]
    for i, bad in enumerate(damage):
        file.write_bytes(bad)
        assert same(cached("fit", {}, compute), WANTED)
        assert compute.calls == i + 2
    assert file.read_bytes() == good


@pytest.mark.parametrize("way", ["a file in place of the folder", "a folder in place of the entry"])
def test_a_cache_that_cannot_be_written_is_no_failure(root, way):
    compute = Compute()
    if way == "a file in place of the folder":
        root.write_bytes(b"")
    else:
        cached("fit", {}, compute)
        file = entry(root)
        file.unlink()
        (file / "in the way").mkdir(parents=True)
    before = compute.calls
    for n in (1, 2):
        assert same(cached("fit", {}, compute), WANTED)
        assert compute.calls == before + n


def test_tensors_that_share_memory_or_carry_gradient_are_kept(root):
    x = torch.arange(6.0, requires_grad=True)
    compute = Compute({"all": x, "some": x[:3], "turned": x.reshape(2, 3).T})
    for _ in range(2):
        found = cached("fit", {}, compute)
        assert same(found, {"all": x.detach(), "some": x.detach()[:3], "turned": x.detach().reshape(2, 3).T})
        assert not any(t.requires_grad for t in found.values())
    assert compute.calls == 1


def test_an_error_of_the_computation_is_not_hidden(root):
    def fails():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        cached("fit", {}, fails)


def test_the_cache_lies_where_the_variable_says(root, monkeypatch):
    assert cache_root() == root
    monkeypatch.delenv("DDBENCH_CACHE")
    assert cache_root() == Path.home() / ".cache" / "ddbench"


def test_an_entry_under_anothers_name_is_not_used():
    compute, other = Compute(), Compute({"a": torch.zeros(2)})
    cached("fit", {"of": 1}, compute)
    cached("fit", {"of": 2}, other)
    mine, strange = (entry_path("fit", {"of": i}) for i in (1, 2))
    mine.write_bytes(strange.read_bytes())
    told: list[Touched] = []
    with listening(told.append):
        assert same(cached("fit", {"of": 1}, compute), WANTED)
    assert compute.calls == 2
    assert [(t.kind, t.name) for t in told] == [("unsound", f"fit/{mine.name}"), ("made", f"fit/{mine.name}")]
    assert told[0].why == f"it is the entry {strange.stem[:12]} under another's name"
    assert told[1].size_bytes == mine.stat().st_size


def test_listeners_are_told_while_they_listen(root):
    outer: list[str] = []
    inner: list[str] = []
    with listening(lambda t: outer.append(t.kind)):
        cached("fit", {}, Compute())
        with listening(lambda t: inner.append(t.kind)):
            cached("fit", {}, Compute())
        entry(root).unlink()
    cached("fit", {}, Compute())
    assert outer == ["made", "found"]
    assert inner == ["found"]


def test_what_cannot_be_stored_is_told(root):
    root.write_bytes(b"")
    told: list[Touched] = []
    with listening(told.append):
        cached("fit", {}, Compute())
    assert [t.kind for t in told] == ["unkept"]
    assert told[0].why
