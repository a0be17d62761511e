"""A codec's way there and back: encode, round as the storage type does, decode."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ddbench.artifact.rounding import restore_leaf, store_leaf
from ddbench.codec_report.items import beside, grouped
from ddbench.codec_report.memory import peak_of
from ddbench.errors import PluginError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import OFFSET_BYTES, Leaf, Storage

BATCH = 256
"""Items that are encoded or decoded at once."""

Tell = Callable[[float], None]


@dataclass
class Back:
    """Signals as the storage gave them back, in the order of the split, on the CPU, and what that took."""

    signals: Float[Tensor, "n *shape"]
    item_bytes: list[int] = field(default_factory=list)
    encode_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True)
class Part:
    """Items of a split that go through together."""

    x: Float[Tensor, "b_s *shape"]
    y: Tensor
    """A label for each signal."""
    item_y: Tensor


class RoundTrip:
    """A codec with class and set leaves, which are stored once; items go there and back a batch at a time."""

    def __init__(self, codec: Codec, shared: Codes, label: str, seed: int, device: torch.device) -> None:
        """`shared` are the leaves of `fit` and `begin`. Raises: PluginError, ArtifactError where one is amiss."""
        self.codec, self.label, self.seed, self.device = codec, label, seed, device
        self.storage: Storage = codec.target.storage
        leaves = tuple(codec.leaves())
        self.item_leaves = tuple(leaf for leaf in leaves if leaf.scope == "item" and not leaf.derived)
        self.before = _on(shared, device)
        self.bytes = {"class": 0, "set": 0}
        after = {leaf.name: self.before[leaf.name] for leaf in codec.refitted()}
        for leaf in leaves:
            if leaf.scope == "item":
                continue
            if leaf.name not in shared:
                raise PluginError(f"The codec {label} declares the leaf {leaf.name!r} but neither fits nor begins it.")
            tensors = store_leaf(leaf, shared[leaf.name], self.storage)
            self.bytes[leaf.scope] += sum(map(_size, tensors.values()))
            after[leaf.name] = restore_leaf(leaf, tensors, self.storage)
        ragged = sum(leaf.shape is None for leaf in self.item_leaves)
        self.bytes["set"] += OFFSET_BYTES * ragged  # M rows have M + 1 offsets
        self.after = _on(after, device)

    @property
    def class_bytes(self) -> int:
        """Of one class."""
        return self.bytes["class"] // self.codec.target.n_classes

    def part(self, split: Split, spec: SignalSpec, index: Tensor) -> Part:
        x = spec.normalise(split.signals[index]).to(self.device)
        y = split.labels[index].to(self.device)
        return Part(x, y, y[:: self.codec.signals_per_item])

    def encode(self, part: Part) -> Codes:
        with torch.no_grad():
            return self.codec.encode(part.x, part.y, self.before)

    def stored(self, codes: Codes, labels: Tensor) -> tuple[Codes, list[int]]:
        """(item leaves as they come back from the storage, bytes of each item); `labels` are the items'.

        Rows that are written together are here a set of their own, a batch's: the bytes of an item are their mean.
        """
        items = len(labels)
        sizes, back = [0] * items, {}
        for leaf in self.item_leaves:
            if leaf.name not in codes or len(codes[leaf.name]) != items:
                raise PluginError(f"The codec {self.label} should encode {items} rows of its leaf {leaf.name!r}.")
            tensors = store_leaf(leaf, codes[leaf.name], self.storage, labels)
            back[leaf.name] = restore_leaf(leaf, tensors, self.storage, labels)
            sizes = [a + b for a, b in zip(sizes, _row_bytes(leaf, back[leaf.name], tensors, items))]
        return _on(back, self.device), sizes

    def decode(self, codes: Codes, part: Part, generator: Generator) -> Decoded:
        with torch.no_grad():
            return self.codec.decode(self.after | codes, part.item_y, generator)

    def generator(self) -> Generator:
        return torch.Generator().manual_seed(self.seed)

    def all(self, split: Split, spec: SignalSpec, tell: Tell = lambda fraction: None) -> Back:
        """The whole split, there and back. Raises: PluginError, ArtifactError."""
        s = self.codec.signals_per_item
        order, first = grouped(split.labels, s)
        generator, back = self.generator(), Back(torch.empty(len(split), *spec.shape))
        for start in range(0, len(order), BATCH * s):
            index, new = order[start : start + BATCH * s], first[start : start + BATCH * s]
            part = self.part(split, spec, index)
            codes, seconds = self._timed(lambda part=part: self.encode(part))
            back.encode_s += seconds
            stored, sizes = self.stored(codes, part.item_y)
            back.item_bytes += sizes
            decoded, seconds = self._timed(lambda stored=stored, part=part: self.decode(stored, part, generator))
            back.decode_s += seconds
            back.signals[index[new]] = beside(decoded, part.x.cpu(), s, self.label)[new]
            tell(min(1.0, (start + len(index)) / len(order)))
        return back

    def peaks(self, split: Split, spec: SignalSpec) -> tuple[int | None, int | None]:
        """Peak bytes of encoding and of decoding one batch; the batch went through once before, so nothing is cold."""
        part = self.part(
            split, spec, grouped(split.labels, self.codec.signals_per_item)[0][: BATCH * self.codec.signals_per_item]
        )
        stored, _ = self.stored(self.encode(part), part.item_y)
        self.decode(stored, part, self.generator())
        encoded, encode_peak = peak_of(lambda: self.encode(part), self.device)
        stored, _ = self.stored(encoded, part.item_y)
        _, decode_peak = peak_of(lambda: self.decode(stored, part, self.generator()), self.device)
        return encode_peak, decode_peak

    def _timed(self, call: Callable):
        self._wait()
        start = time.perf_counter()
        found = call()
        self._wait()
        return found, time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _on(codes: Codes, device: torch.device) -> Codes:
    return {name: code.to(device) if isinstance(code, Tensor) else code for name, code in codes.items()}


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _row_bytes(leaf: Leaf, value: Tensor | Ragged, tensors: dict[str, Tensor], items: int) -> list[int]:
    """Bytes of each row as they stand in the stored tensors."""
    if isinstance(value, Ragged):
        return [OFFSET_BYTES + n for n in value.offsets.diff().tolist()]
    each, rest = divmod(sum(map(_size, tensors.values())), max(1, items))
    return [each + (i < rest) for i in range(items)]
