"""Series of varying length through codecs that know no masks: their lengths are stored beside the codec's leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench import registry
from ddbench.errors import PluginError, SpecError
from ddbench.interfaces.codec import Codec, CodecWork, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.leaf import Leaf

LENGTH = "length"
OF_THE_CODEC = (
    "version", "differentiable", "signals_per_item", "code_leaf", "decode_chunk", "decoder_bytes",
    "decoder_training_data", "free_in_domain", "keeps_encodings",
)  # fmt: skip


def codec_for(name: str, args: dict[str, Any], target: Target) -> Codec:
    """The codec of that name for a target, lengths beside it where signals are masked and it does not store masks.

    Raises: SpecError where signals are symbols that the codec would take for numbers.
    """
    plugin = registry.load("codec", name)
    if target.signal.symbols and not plugin.symbols:
        raise SpecError(
            f"The signals are rows of {target.signal.symbols} symbols, and the codec {name!r} takes numbers. Choose "
            "one for symbols, such as a codec of texts."
        )
    if not target.signal.mask or plugin.takes_masks:
        return registry.build("codec", name, args, target)
    return WithLengths(registry.build("codec", name, args, replace(target, signal=target.signal.bare)), target)


class WithLengths(Codec):
    """A codec of masked signals: another one stores the padded values, a leaf of whole numbers their lengths.

    `x [c + 1, t] → values [c, t] → the codec's leaves; mask → length` and back: what lies behind the length is set to
    0, the mask is made anew. Lengths are side information: one to four bytes each, never learned.
    """

    version = "1"
    source = "ddbench"

    def __init__(self, inner: Codec, target: Target) -> None:
        """Raises: PluginError where the codec has a leaf of that name itself, or settles what it learned."""
        super().__init__(inner.config, target)
        self.inner = inner
        for name in OF_THE_CODEC:
            setattr(self, name, getattr(inner, name))
        if any(leaf.name == LENGTH for leaf in (*inner.leaves(), *inner.refitted())):
            raise PluginError(
                f"The codec {inner.title} has a leaf {LENGTH!r}, which is where the framework keeps the lengths of "
                "masked signals. Rename it, or store masks in the codec itself (`takes_masks`)."
            )
        if type(inner).settle is not Codec.settle:
            raise PluginError(
                f"The codec {inner.title} puts something real in the place of learned codes, which is not known to "
                "keep lengths. Store masks in the codec itself (`takes_masks`)."
            )
        (self.most,) = target.signal.extent

    @property
    def title(self) -> str:
        return self.inner.title

    @property
    def has_fit(self) -> bool:
        return self.inner.has_fit

    def work(self) -> CodecWork:
        return self.inner.work()

    def leaves(self) -> tuple[Leaf, ...]:
        dtype = "uint8" if self.most < 2**8 else "int16" if self.most < 2**15 else "int32"
        shape = (self.inner.signals_per_item,)
        return (*self.inner.leaves(), Leaf(LENGTH, "item", shape, dtype, learned=False, side=True, quantise=False))

    def refitted(self) -> tuple[Leaf, ...]:
        return self.inner.refitted()

    def fit(self, train: Source, generator: Generator) -> Codes:
        return self.inner.fit(_Bare(train), generator)

    def begin(self, x: Float[Tensor, "m_s *shape"], y: Int[Tensor, " m_s"], generator: Generator) -> Codes:
        return self.inner.begin(x[:, :-1], y, generator)

    def encode(self, x: Float[Tensor, "m_s *shape"], y: Int[Tensor, " m_s"], shared: Codes) -> Codes:
        length = lengths(x).to(getattr(torch, self.leaves()[-1].dtype))
        codes = self.inner.encode(x[:, :-1], y, shared)
        return codes | {LENGTH: length.reshape(-1, self.inner.signals_per_item)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        length = codes[LENGTH]
        assert isinstance(length, Tensor)
        found = self.inner.decode({n: c for n, c in codes.items() if n != LENGTH}, y, generator)
        order = found.source.argsort(stable=True)
        place = torch.empty_like(order)  # of each signal among those of its item
        place[order] = torch.arange(len(order), device=order.device) % (len(order) // max(1, len(length)))
        own = length.long().to(order.device)[found.source, place % length.shape[1]]
        mask = (torch.arange(self.most, device=own.device) < own[:, None])[:, None].to(found.signals)
        return Decoded(torch.cat([found.signals * mask, mask], 1), found.source)

    def code_augmentation(self, strategy: str) -> str:
        return self.inner.code_augmentation(strategy)


@dataclass(frozen=True)
class _Bare:
    """A source of masked signals without their masks."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in self.source.batches(size):
            yield x[:, :-1], y


def lengths(x: Float[Tensor, "b c t"]) -> Int[Tensor, " b"]:
    """Length of each masked signal: up to the last position whose mask is above a half, at least 1."""
    places = torch.arange(1, x.shape[2] + 1, device=x.device)
    return ((x[:, -1] > 0.5) * places).amax(1).clamp(min=1)
