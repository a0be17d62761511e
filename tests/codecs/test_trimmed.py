"""Series stored as long as they are: contract, bytes, damage."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from ddbench_codecs.trimmed import Trimmed

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Ragged, Target
from ddbench.interfaces.lengths import codec_for, lengths
from ddbench.interfaces.signal import SignalSpec
from ddbench.testing.codecs import CodecContract


class TestTrimmed(CodecContract):
    codec = Trimmed
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((3, 12), (2, 5))

    def target(self, shape):
        c = shape[0] - 1
        return Target(SignalSpec(shape, (0.4,) * c + (0.0,), (0.25,) * c + (1.0,), mask=True), 3, 3 * 2**24)

    def signals(self, target, n, generator):
        c, t = target.signal.shape
        mask = (torch.arange(t) < torch.randint(1, t + 1, (n, 1), generator=generator)).float()[:, None]
        values = torch.rand(n, c - 1, t, generator=generator)
        return torch.cat([torch.where(mask > 0, values, torch.tensor(0.4)), mask], 1)


def codec(**args):
    return codec_for("trimmed", args, TestTrimmed().target((3, 12)))


def items():
    checks = TestTrimmed()
    raw = checks.signals(checks.target((3, 12)), 5, torch.Generator().manual_seed(0))
    return checks.target((3, 12)).signal.normalise(raw), torch.zeros(5, dtype=torch.long)


@pytest.mark.parametrize(("dtype", "size", "error"), [("float32", 4, 0.0), ("float16", 2, 2e-3)])
def test_bytes_are_those_of_the_values_alone(dtype, size, error):
    x, y = items()
    codes = codec(dtype=dtype).encode(x, y, {})
    assert isinstance(codes["values"], Ragged)
    assert codes["values"].offsets.diff().tolist() == [2 * size * n for n in lengths(x).tolist()]
    back = codec(dtype=dtype).decode(codes, y, torch.Generator()).signals
    assert (back - x).abs().max() <= error


@pytest.mark.parametrize("row", [b"", b"1234567", bytes(8 * 13)])
def test_damaged_items_are_named(row):
    with pytest.raises(ArtifactError, match="Item 1 should be 1 to 12 times 8 bytes"):
        codec().decode({"values": Ragged.of([bytes(8), row])}, torch.zeros(2), torch.Generator())


def test_signals_without_padding_are_refused():
    with pytest.raises(SpecError, match="Use 'identity'"):
        codec_for("trimmed", {}, Target(SignalSpec((2, 5), (0.0,) * 2, (1.0,) * 2), 2, 100))
