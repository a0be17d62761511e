"""There and back: bytes, rounding, items of several signals in any order, the draw of signals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ddbench.codec_report.fidelity import figures
from ddbench.codec_report.items import balanced, beside, grouped
from ddbench.codec_report.memory import peak_of
from ddbench.codec_report.roundtrip import RoundTrip
from ddbench.errors import PluginError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf

SPEC = SignalSpec((1, 4, 4), (0.5,), (0.25,), 0.0, 1.0)
CPU = torch.device("cpu")


class Pairs(Codec):
    """Two signals an item, given back in the other order; a class leaf and a set leaf."""

    version, source = "1", "tests"
    signals_per_item = 2

    def leaves(self) -> tuple[Leaf, ...]:
        return Leaf("x", "item", (2, 1, 4, 4)), Leaf("k", "class", (3,)), Leaf("s", "set", (5, 2))

    def fit(self, train: Any, generator: Generator) -> Codes:
        return {"k": torch.zeros(self.target.n_classes, 3), "s": torch.zeros(5, 2)}

    def encode(self, x: Tensor, y: Tensor, shared: Codes) -> Codes:
        return {"x": x.unflatten(0, (-1, 2))}

    def decode(self, codes: Codes, y: Tensor, generator: Generator) -> Decoded:
        x = codes["x"]
        assert isinstance(x, Tensor)
        m = len(x)
        return Decoded(x.flip(1).flatten(0, 1), torch.arange(m).repeat_interleave(2))


class Strings(Codec):
    """Byte strings of a length that the signal decides."""

    version, source = "1", "tests"
    differentiable = False

    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf("b", "item", None, dtype="uint8", learned=False),)

    def encode(self, x: Tensor, y: Tensor, shared: Codes) -> Codes:
        return {"b": Ragged.of([bytes(int(k) + 1) for k in y])}

    def decode(self, codes: Codes, y: Tensor, generator: Generator) -> Decoded:
        return Decoded(torch.zeros(len(y), *SPEC.shape), torch.arange(len(y)))


def split(n: int = 7, k: int = 2) -> Split:
    draw = torch.Generator().manual_seed(1)
    return Split(torch.rand(n, *SPEC.shape, generator=draw), torch.arange(n) % k)


def trip(kind: type[Codec], storage: Any = "float32") -> RoundTrip:
    codec = kind(None, Target(SPEC, 2, 10**6, storage))
    return RoundTrip(codec, codec.fit(None, Generator()), kind.__name__, 0, CPU)  # pyright: ignore[reportArgumentType]


def test_several_signals_an_item_come_back_to_their_places() -> None:
    there = split()
    back = trip(Pairs).all(there, SPEC)
    assert torch.equal(back.signals, SPEC.normalise(there.signals))
    assert back.item_bytes == [2 * 16 * 4] * 4


def test_bytes_are_those_of_the_stored_tensors() -> None:
    made = trip(Pairs, "uint8")
    assert (made.class_bytes, made.bytes["set"]) == (3 + 8, 10 + 5 * 8)
    assert made.all(split(), SPEC).item_bytes == [2 * 16 + 8] * 4
    ragged = trip(Strings)
    assert ragged.all(split(4), SPEC).item_bytes == [1 + 4, 2 + 4, 1 + 4, 2 + 4]
    assert ragged.bytes["set"] == 4


def test_uint8_rounds_each_row_to_255_steps() -> None:
    there = split(40)
    back = trip(Pairs, "uint8").all(there, SPEC)
    rows = SPEC.normalise(there.signals)[grouped(there.labels, 2)[0]].reshape(-1, 32)
    step = (rows.amax(1) - rows.amin(1)) / 255
    error = (back.signals - SPEC.normalise(there.signals))[grouped(there.labels, 2)[0]].reshape(-1, 32).abs()
    assert bool((error <= step[:, None] / 2 + 1e-6).all())
    # uniform rounding of values in about [0, 1] with steps of about 1 / 255
    psnr = figures(SPEC, SPEC.normalise(there.signals), back.signals)["psnr_db"].mean
    assert psnr == pytest.approx(10 * torch.log10(torch.tensor(12 * 255.0**2)).item(), abs=1.0)


def test_groups_hold_one_class_and_every_signal_once() -> None:
    labels = torch.tensor([0, 1, 0, 1, 0, 2])
    order, first = grouped(labels, 2)
    assert sorted(order[first].tolist()) == list(range(6))
    assert bool((labels[order].reshape(-1, 2).diff(dim=1) == 0).all())
    assert order.tolist() == [0, 2, 4, 0, 1, 3, 5, 5]


def test_decoded_signals_that_are_not_what_was_declared() -> None:
    x = torch.zeros(4, 1, 4, 4)
    for decoded in (
        Decoded(torch.zeros(3, 1, 4, 4), torch.arange(3)),
        Decoded(torch.zeros(4, 1, 2, 2), torch.arange(4)),
        Decoded(torch.zeros(4, 1, 4, 4), torch.tensor([0, 0, 1, 2])),
        Decoded(x + torch.nan, torch.arange(4)),
    ):
        with pytest.raises(PluginError, match="made_up"):
            beside(decoded, x, 1, "made_up")


def test_the_draw_is_balanced_and_a_longer_one_holds_the_shorter() -> None:
    labels = torch.arange(60) % 3
    few, more = (balanced(labels, 3, n, "r").tolist() for n in (6, 30))
    assert torch.bincount(labels[few]).tolist() == [2, 2, 2]
    assert set(few) <= set(more)
    assert balanced(labels, 3, None, "r").tolist() == list(range(60)) == balanced(labels, 3, 99, "r").tolist()
    assert balanced(labels, 3, 6, "another").tolist() != few


def test_peak_memory_is_of_the_call_alone() -> None:
    held = torch.ones(2**22)
    _, little = peak_of(lambda: torch.ones(2**10), CPU)
    _, much = peak_of(lambda: torch.ones(2**23).sum(), CPU)
    if little is None or much is None:
        pytest.skip("this system cannot reset the peak")
    assert little < 4e6
    assert 32e6 <= much < 50e6
    assert len(held)
