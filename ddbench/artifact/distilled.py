"""A distilled set: codes with their card, saved to and loaded from `distilled.safetensors` + `distilled.json`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ddbench import registry, rng
from ddbench.artifact.card import Card, LeafCard, read_card
from ddbench.artifact.header import read_header
from ddbench.artifact.layout import CARD as CARD
from ddbench.artifact.layout import TENSORS as TENSORS
from ddbench.artifact.layout import leaf_of, misfit, rows_of, side_bytes, tensors_of
from ddbench.artifact.rounding import restore_leaf, store_leaf
from ddbench.errors import ArtifactError, PluginError, RunError, SpecError
from ddbench.files import read_bytes, write_atomic
from ddbench.interfaces.codec import Codec, Codes, Target
from ddbench.interfaces.lengths import codec_for
from ddbench.leaf import Leaf


@dataclass(frozen=True)
class DistilledSet:
    """What the file holds, in memory: codes as they were stored (rounding included), class by class."""

    card: Card
    codes: Codes
    parts: dict[str, int]
    """Bytes of each tensor of the file."""
    file: Path = Path(TENSORS)
    """Where it was read from; for messages."""

    @property
    def used_bytes(self) -> int:
        return sum(self.parts.values())

    @property
    def side_bytes(self) -> int:
        """Bytes of side information: tensors of side leaves, ranges and offsets."""
        return side_bytes(self.card, self.parts.items())

    @property
    def labels(self) -> Int[Tensor, " m"]:
        """Label of each stored item."""
        return labels_of(self.card)

    def codec(self) -> Codec:
        """The codec that the card names. Raises: ArtifactError where what is installed is not what wrote the set."""
        return codec_of(self.card, self.file)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Leaves that have to be fitted again on the training set before the set can be decoded (`completed`)."""
        return tuple(leaf.name for leaf in self.codec().refitted() if leaf.name not in self.codes)

    def completed(self, fitted: Codes) -> DistilledSet:
        """The set with what its codec fits again. `fitted` is what `fit` gave. Nothing more is charged: see the card.

        Raises: ArtifactError where what is needed is not there, or has another shape.
        """
        leaves = self.codec().refitted()
        for leaf in leaves:
            _check_rows(self.card, leaf, fitted.get(leaf.name))
        return replace(self, codes=self.codes | {leaf.name: fitted[leaf.name] for leaf in leaves})

    def decode(self, device: str | torch.device = "cpu") -> tuple[Float[Tensor, "p *shape"], Int[Tensor, " p"]]:
        """Normalised signals and their labels, as students see them. Raises: ArtifactError as `decode_items`."""
        signals, source = self.decode_items(device)
        return signals, self.labels[source.cpu()].to(device)

    def decode_items(self, device: str | torch.device = "cpu") -> tuple[Float[Tensor, "p *shape"], Int[Tensor, " p"]]:
        """Normalised signals and, for each, the row of the stored item that it came from.

        Raises: ArtifactError where the codec fits leaves again and the set was not `completed`, and for codes that do
        not decode to finite signals of the card's shape.
        """
        codec, labels = self.codec(), self.labels
        if lacking := self.lacking:
            raise ArtifactError(
                f"{self.file} does not store {', '.join(lacking)}: the codec {self.card.codec.name!r} fits them again "
                f"on the training set of {self.card.dataset!r}, revision {self.card.revision}. Give the set what its "
                "codec's `fit` gives there (`completed`) before decoding it."
            )
        codes = {n: c.to(device) if isinstance(c, Tensor) else c for n, c in self.codes.items()}
        with torch.no_grad():
            decoded = codec.decode(codes, labels.to(device), rng.generator("decode", seed=self.card.seed))
        shape = tuple(decoded.signals.shape[1:])
        if shape != self.card.signal.shape:
            raise ArtifactError(f"{self.file} decodes to signals of shape {shape}, not {self.card.signal.shape}.")
        if not bool(decoded.signals.isfinite().all()):
            raise ArtifactError(f"{self.file} decodes to signals that are not finite.")
        return decoded.signals.float(), decoded.source


def labels_of(card: Card) -> Int[Tensor, " m"]:
    """Label of each item: items stand class by class."""
    return torch.repeat_interleave(torch.arange(card.n_classes), torch.tensor(card.counts))


def codec_of(card: Card, file: Path) -> Codec:
    """The codec that a card names. Raises: ArtifactError where what is installed is not what wrote the set."""
    target = Target(card.signal, card.n_classes, card.cap_bytes, card.storage, card.family or card.dataset)
    codec = codec_for(card.codec.name, card.codec.args, target)
    if codec.version != card.codec_version:
        raise ArtifactError(
            f"{file} was written by version {card.codec_version} of the codec {card.codec.name!r}; version "
            f"{codec.version} is installed. Install a release that has the former."
        )
    if leaf_cards(codec.leaves()) != tuple(x for x in card.leaves if not x.of_method):
        raise ArtifactError(
            f"{file} holds other leaves than the codec {card.codec.name!r} stores at {card.cap_bytes} bytes: "
            f"{', '.join(f'{x.name} {x.shape}' for x in card.leaves)}. Its card was changed."
        )
    return codec


def leaf_cards(leaves: Sequence[Leaf], of_method: bool = False) -> tuple[LeafCard, ...]:
    return tuple(
        LeafCard(
            name=x.name,
            scope=x.scope,
            shape=x.shape,
            dtype=x.dtype,
            side=x.side,
            quantise=x.quantise,
            of_method=of_method,
            coded=x.coder is not None,
        )
        for x in leaves
        if not x.derived
    )


def leaves_of(card: Card, file: Path) -> list[Leaf]:
    """The leaves as they stand in the file, with the coders of those whose rows are written together.

    Raises: ArtifactError where the codec or the method that has the coder is not what wrote the set.
    """
    coders = {}
    if any(x.coded and not x.of_method for x in card.leaves):
        coders |= {leaf.name: leaf.coder for leaf in codec_of(card, file).leaves()}
    if any(x.coded and x.of_method for x in card.leaves):
        coders |= {leaf.name: leaf.coder for leaf in _of_method(card, file)}
    return [replace(leaf_of(x), coder=coders.get(x.name)) for x in card.leaves]


def _of_method(card: Card, file: Path) -> tuple[Leaf, ...]:
    """The leaves of the method that a card names."""
    if card.method is None:
        raise ArtifactError(f"{file} holds a leaf that a method's coder wrote; its card should name the method.")
    try:
        leaves = registry.build("method", card.method.name, card.method.args).extra_leaves(card.n_classes)
    except (SpecError, PluginError) as error:
        raise ArtifactError(f"{file} holds a leaf that the method '{card.method}' wrote: {error}") from error
    if leaf_cards(leaves, of_method=True) != tuple(x for x in card.leaves if x.of_method):
        raise ArtifactError(f"{file} holds other leaves than the method '{card.method}' stores. Its card was changed.")
    return leaves


def save(folder: Path, card: Card, codes: Codes) -> Card:
    """Writes tensors, then the card with their digest, so that half a set is never taken for whole; returns the card.

    Raises: ArtifactError for codes that do not match the card's leaves; RunError where the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for leaf in leaves_of(card, folder / TENSORS):
        if leaf.name not in codes:
            raise ArtifactError(f"The codes lack the leaf {leaf.name!r} that the codec declares.")
        _check_rows(card, leaf, codes[leaf.name])
        tensors |= store_leaf(leaf, codes[leaf.name], card.storage, labels_of(card))
    data = save_tensors(tensors)
    card = card.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    # the card is staged first, so that a full disk leaves the old pair whole
    staged = folder / f".{CARD}.next"
    try:
        write_atomic(staged, card.model_dump_json(indent=1))
        write_atomic(folder / TENSORS, data)
        os.replace(staged, folder / CARD)
    except OSError as error:
        raise RunError(f"{folder / CARD} could not be written: {error.strerror or error}.") from error
    finally:
        staged.unlink(missing_ok=True)
    return card


def load(path: Path) -> DistilledSet:
    """The set in a folder, or at the path of its tensor file or card. Raises: ArtifactError naming file and fault."""
    folder = path.parent if path.name in (TENSORS, CARD) else path
    card = read_card(folder / CARD)
    file = folder / TENSORS
    data = read_bytes(file)
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ArtifactError(f"{file} does not have the digest that its card names: it was changed or damaged.")
    read_header(file, len(data))
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArtifactError(f"{file} is not a safetensors file: {error}.") from error
    codes: Codes = {}
    expected: set[str] = set()
    for leaf in leaves_of(card, file):
        expected |= _check_stored(file, card, leaf, tensors)
        codes[leaf.name] = restore_leaf(leaf, tensors, card.storage, labels_of(card))
    if unknown := set(tensors) - expected:
        raise ArtifactError(f"{file} holds tensors that its card does not name: {', '.join(sorted(unknown))}.")
    if spoilt := [n for n, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]:
        raise ArtifactError(f"{file} holds values in {min(spoilt)!r} that are not finite.")
    return DistilledSet(card, codes, {n: t.numel() * t.element_size() for n, t in sorted(tensors.items())}, file)


def _check_rows(card: Card, leaf: Leaf, value: object) -> None:
    found = tuple(value.shape) if isinstance(value, Tensor) else len(value) if value is not None else None  # pyright: ignore[reportArgumentType]
    wanted = sum(card.counts) if leaf.shape is None else rows_of(card, leaf)
    if found != wanted:
        raise ArtifactError(f"The leaf {leaf.name!r} should have shape {wanted}; found {found}.")


def _check_stored(file: Path, card: Card, leaf: Leaf, tensors: dict[str, Tensor]) -> set[str]:
    """Names of the leaf's tensors, each checked for presence, type and shape."""
    name, wanted = f"{leaf.scope}/{leaf.name}", tensors_of(card, leaf, leaf.coder is not None)
    for part, what in wanted.items():
        tensor = tensors.get(part)
        found = None if tensor is None else (str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        if fault := misfit(part, what, found):
            raise ArtifactError(f"{file} {fault}.")
    if leaf.shape is None:
        offsets = tensors[f"{name}.offsets"]
        values = tensors[f"{name}.values"]
        if int(offsets[0]) != 0 or bool((offsets.diff() < 0).any()) or int(offsets[-1]) != len(values):
            raise ArtifactError(f"{file}: the offsets of {name!r} do not cut its {len(values)} bytes.")
    return set(wanted)
