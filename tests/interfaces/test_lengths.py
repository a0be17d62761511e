"""Masked signals through codecs that know no masks: lengths beside them, charged; padding back to zero."""

from __future__ import annotations

import pytest
import torch

from ddbench.budget import Budget, slots
from ddbench.cost import cost_of
from ddbench.errors import PluginError
from ddbench.interfaces.codec import Target
from ddbench.interfaces.lengths import LENGTH, WithLengths, codec_for, lengths
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf

T, C = 10, 3
SPEC = SignalSpec((C + 1, T), (1.0, 2.0, 3.0, 0.0), (1.0, 2.0, 0.5, 1.0), augmentation="jitter", mask=True)
LENGTHS = torch.tensor([1, 4, 10, 7])


def signals(of=LENGTHS, seed=0):
    mask = (torch.arange(T) < of[:, None]).float()[:, None]
    values = torch.randn(len(of), C, T, generator=torch.Generator().manual_seed(seed))
    return torch.cat([values * mask, mask], 1)


def target(cap_bytes=10**6, spec=SPEC):
    return Target(spec, 2, cap_bytes, "float32")


def test_what_is_bare_and_what_is_drawn():
    assert SPEC.bare == SignalSpec((C, T), SPEC.mean[:-1], SPEC.std[:-1], augmentation="jitter")
    bare = SPEC.bare
    assert bare.bare is bare
    assert (SPEC.strategy, SPEC.bare.strategy) == ("masked_jitter", "jitter")
    for shape, mean in (((C + 1, T), (0.0, 0, 0, 1)), ((2, 4, 4), (0.0, 0.0)), ((1, T), (0.0,))):
        with pytest.raises(ValueError, match="last channel"):
            SignalSpec(shape, mean, (1.0,) * len(mean), mask=True)


@pytest.mark.parametrize("name", ["identity", "downsample", "dct", "pca", "tiles"])
def test_lengths_come_back_whatever_the_codec(name):
    codec = codec_for(name, {"components": 3} if name == "pca" else {}, target())
    assert isinstance(codec, WithLengths)
    x, y = signals(), torch.tensor([0, 0, 1, 1])
    assert lengths(x).tolist() == LENGTHS.tolist()
    generator = torch.Generator().manual_seed(0)
    s = codec.signals_per_item
    x, y = x.repeat(s, 1, 1), y.repeat(s)

    class Source:
        def __len__(self):
            return len(x)

        def batches(self, size):
            yield x, y

    shared = codec.fit(Source(), generator) if codec.has_fit else {}
    shared |= codec.begin(x, y, generator)
    codes = shared | codec.encode(x, y, shared)
    item_y = y[::s]
    assert codes[LENGTH].dtype == torch.uint8
    assert codes[LENGTH].shape == (len(item_y), s)
    assert {leaf.name for leaf in codec.leaves()} == set(codes)
    decoded = codec.decode(codes, item_y, generator)
    want = lengths(x).reshape(-1, s)
    order = decoded.source.argsort(stable=True)
    assert lengths(decoded.signals)[order].tolist() == want.flatten().tolist()
    mask = decoded.signals[:, -1:]
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert bool((decoded.signals[:, :-1] == 0)[(mask == 0).expand(-1, C, -1)].all())
    if name == "identity":
        assert torch.equal(decoded.signals, x)


def test_the_budget_counts_values_and_lengths_are_charged():
    cap = Budget(ipc=2).cap_bytes(SPEC.bare.shape, 2, 0)
    assert cap == 2 * 2 * C * T * 4
    codec = codec_for("identity", {}, target(cap))
    cost = cost_of(codec.leaves(), "float32")
    assert (cost.item, cost.item_side) == (C * T * 4, 1)
    assert slots(cost, 2, cap) == 2  # the last byte of side information is let in
    wide = SignalSpec((2, 300), (0.0, 0.0), (1.0, 1.0), mask=True)
    assert cost_of(codec_for("identity", {}, target(spec=wide)).leaves(), "float16").item_side == 2


def test_gradients_reach_values_before_the_end_only():
    codec = codec_for("identity", {}, target())
    x, y = signals(), torch.zeros(4, dtype=torch.long)
    codes = codec.encode(x, y, {})
    codes["x"] = codes["x"].clone().requires_grad_()
    codec.decode(codes, y, torch.Generator()).signals.sum().backward()
    assert torch.equal(codes["x"].grad, x[:, -1:].expand(-1, C, -1))


def test_noise_has_a_length_too():
    assert lengths(torch.zeros(3, 2, 5)).tolist() == [1, 1, 1]
    x = torch.randn(50, C + 1, T, generator=torch.Generator().manual_seed(0))
    assert 1 <= int(lengths(x).min()) <= int(lengths(x).max()) <= T


def test_the_wrapped_codec_speaks_for_itself():
    codec = codec_for("downsample", {"factor": 5}, target())
    plain = codec_for("downsample", {"factor": 5}, target(spec=SPEC.bare))
    assert not isinstance(plain, WithLengths)
    assert (codec.version, codec.title, codec.config, codec.code_leaf) == (
        plain.version, plain.title, plain.config, plain.code_leaf,
    )  # fmt: skip
    assert codec.code_augmentation("jitter") == "jitter"
    assert codec.leaves()[:-1] == plain.leaves()


def test_a_leaf_called_length_is_a_clash():
    inner = codec_for("identity", {}, target(spec=SPEC.bare))
    inner.leaves = lambda: (Leaf("length", "item", (1,)),)
    with pytest.raises(PluginError, match="has a leaf 'length'"):
        WithLengths(inner, target())


def test_a_codec_that_settles_what_it_learned_stores_masks_itself():
    inner = codec_for("identity", {}, target(spec=SPEC.bare))

    class Settles(type(inner)):
        def settle(self, codes, y, train, encoded):
            return codes

    with pytest.raises(PluginError, match="`takes_masks`"):
        WithLengths(Settles(inner.config, inner.target), target())
