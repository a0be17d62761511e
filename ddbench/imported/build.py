"""From a set as it was given to codes that hold it unchanged: the codec, the leaves, the rows class by class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.artifact.card import LeafCard
from ddbench.artifact.distilled import leaf_cards
from ddbench.canonical import digest
from ddbench.errors import ArtifactError, SpecError
from ddbench.imported.given import Labelled
from ddbench.imported.method import LABELS, RATE
from ddbench.imported.normalisation import reading
from ddbench.interfaces.codec import Codec, Codes, Ragged, Target
from ddbench.interfaces.dataset import DatasetCard
from ddbench.interfaces.lengths import codec_for
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf
from ddbench.planning.facts import full_args, version
from ddbench.spec.cell import Choice
from ddbench.spec.mandatory import NAMES


@dataclass(frozen=True)
class Coded:
    """A set in the form in which it is stored and charged."""

    codec: Choice
    codec_version: str
    leaves: tuple[LeafCard, ...]
    codes: Codes
    counts: tuple[int, ...]

    @property
    def side_bytes(self) -> int:
        return sum(
            _bytes(self.codes[leaf.name])[1] + leaf.side * _bytes(self.codes[leaf.name])[0] for leaf in self.leaves
        )

    @property
    def used_bytes(self) -> int:
        return sum(sum(_bytes(value)) for value in self.codes.values())

    @property
    def digest(self) -> str:
        """SHA-256 of what the set holds, whatever file it came in."""
        return digest([[name, *_content(self.codes[name])] for name in sorted(self.codes)] + [list(self.counts)])


def choice_for(given: Labelled, signal: SignalSpec, normalisation: str | None, resize: bool, where: str) -> Choice:
    """The codec `imported` with what it has to know of the set. Raises: SpecError, ArtifactError."""
    if not isinstance(given.items, Tensor):
        if normalisation is not None:
            raise SpecError(f"{where} holds picture files, whose values need no --normalisation. Leave it out.")
        return full_args("codec", Choice(name=NAMES.imported, args={"form": "pictures", "resize": resize}))
    items = channels_first(given.items, signal)
    shape = tuple(items.shape[1:])
    if shape != signal.shape:
        can = len(signal.extent) == 2 and len(shape) == 3 and shape[0] == signal.channels
        if not (resize and can):
            way = "--resize brings them to that size" if can else "Nothing can make one of the other"
            raise ArtifactError(f"{where} holds signals of shape {shape}, the dataset's are {signal.shape}. {way}.")
    read = reading(items, normalisation, signal, where)
    args = {
        "form": "tensors", "dtype": str(items.dtype).removeprefix("torch."), "values": read.values,
        "mean": read.mean, "std": read.std, "shape": None if shape == signal.shape else shape,
    }  # fmt: skip
    return full_args("codec", Choice(name=NAMES.imported, args=args))


def channels_first(x: Tensor, signal: SignalSpec) -> Tensor:
    """`[M, c, h, w]` of images that stand channels last, or grey without a channel; others as they are."""
    if len(signal.shape) != 3 or tuple(x.shape[1:]) == signal.shape:
        return x
    if x.dim() == 3 and signal.channels == 1:
        return x.unsqueeze(1)
    if x.dim() == 4 and x.shape[1] != signal.channels and x.shape[3] == signal.channels:
        return x.movedim(3, 1).contiguous()
    return x


def coded(given: Labelled, choice: Choice, card: DatasetCard, cap_bytes: int) -> Coded:
    """The set in the leaves of a codec. Raises: SpecError where the codec's leaves are not what was given."""
    codec = codec_for(choice.name, choice.args, Target(card.signal, card.n_classes, cap_bytes, family=card.family))
    order = given.classes.argsort(stable=True)
    if isinstance(given.items, Tensor):
        items = channels_first(given.items, card.signal)[order].contiguous()
        codes: Codes = {_item_leaf(codec, choice, items).name: items}
    else:
        codes = {_item_leaf(codec, choice, None).name: Ragged.of([given.items[i] for i in order.tolist()])}
    extra: list[Leaf] = []
    if given.soft is not None:
        dtype = str(given.soft.dtype).removeprefix("torch.")
        extra.append(Leaf(LABELS, "item", (card.n_classes,), dtype, side=True, quantise=False))
        codes[LABELS] = given.soft[order].contiguous()
    if given.lr is not None:
        extra.append(Leaf(RATE, "set", (), side=True, quantise=False))
        codes[RATE] = torch.tensor(given.lr)
    counts = tuple(torch.bincount(given.classes, minlength=card.n_classes).tolist())
    leaves = (*leaf_cards(codec.leaves()), *leaf_cards(extra, of_method=True))
    return Coded(choice, version("codec", choice), leaves, codes, counts)


def _item_leaf(codec: Codec, choice: Choice, items: Tensor | None) -> Leaf:
    """The one leaf that what was given fills."""
    leaves: Sequence[Leaf] = codec.leaves()
    if len(leaves) != 1:
        more = ", ".join(leaf.name for leaf in leaves)
        raise SpecError(
            f"The codec {choice.name!r} stores {more}, more than one tensor of codes. Give a set of ddbench instead."
        )
    leaf = leaves[0]
    if items is not None:
        found = str(items.dtype).removeprefix("torch."), tuple(items.shape[1:])
        if found != (leaf.stored_dtype("float32"), leaf.shape):
            raise SpecError(
                f"The codec {choice.name!r} stores codes {leaf.dtype} {leaf.shape}; found {found[0]} {found[1]}."
            )
    return leaf


def _bytes(value: Tensor | Ragged) -> tuple[int, int]:
    """(payload, offsets) of a leaf."""
    if isinstance(value, Ragged):
        return value.values.numel(), value.offsets.numel() * value.offsets.element_size()
    return value.numel() * value.element_size(), 0


def _content(value: Tensor | Ragged) -> list[object]:
    parts = [value.values, value.offsets] if isinstance(value, Ragged) else [value]
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return [[[str(p.dtype), list(p.shape)] for p in parts], hashed.hexdigest()]
