"""The preparation: what a matcher may ask before its loop, and what names the results so that cells share them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench import rng
from ddbench.data import Data
from ddbench.distill.space import MatchSpace
from ddbench.distill.task import each_its_own, siamese
from ddbench.interfaces.codec import Codec, Codes, Tensors
from ddbench.interfaces.method import Augment
from ddbench.interfaces.network import Classifier, Network, fresh
from ddbench.spec.cell import Cell
from ddbench.store import entry_path
from ddbench.store_shared import cached_each


@dataclass
class Preparation:
    """`ddbench.interfaces.method.PrepareTask` over a match space."""

    data: Data
    space: MatchSpace
    match_network: Network
    identity: dict[str, Any]
    """JSON values that determine what networks see of real items, and which networks; never the cell's seed."""
    tell: Callable[[float], None] = lambda fraction: None
    on_disk: bool = True
    """False: `kept` computes everything each time."""

    @property
    def n_classes(self) -> int:
        return self.data.card.n_classes

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    @property
    def device(self) -> torch.device:
        return self.space.device

    @property
    def labels(self) -> Int[Tensor, " n"]:
        return self.data.train.labels.to(self.device)

    def real(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b *shape"]:
        return self.space.real(index)

    def network(self, seed: int) -> Classifier:
        return fresh(self.match_network, self.shape, self.n_classes, seed, self.device)

    def augment(self, *batches: Float[Tensor, "r b *shape"], by: Generator) -> tuple[Tensor, ...]:
        return siamese(self.space, by, *batches)

    def augmentations(self, rows: int, generator: Generator) -> Iterator[Augment]:
        return each_its_own(self.space, rows, generator)

    def seed(self, name: str, **coordinates: Any) -> int:
        return rng.seed("prepare", of=self.identity, name=name, **coordinates)

    def kept(
        self,
        kind: str,
        coordinates: Sequence[dict[str, Any]],
        compute: Callable[[list[int]], Sequence[Tensors]],
        together: int = 1,
    ) -> Iterator[tuple[int, Tensors]]:
        if self.on_disk:
            yield from cached_each(kind, [self._named(c) for c in coordinates], compute, together)
            return
        for start in range(0, len(coordinates), together):
            group = list(range(start, min(start + together, len(coordinates))))
            yield from zip(group, compute(group), strict=True)

    def kept_at(self, kind: str, coordinates: dict[str, Any]) -> str:
        return str(entry_path(kind, self._named(coordinates)))

    def _named(self, coordinates: dict[str, Any]) -> dict[str, Any]:
        return {"match": self.identity, "of": coordinates}

    def progress(self, fraction: float) -> None:
        self.tell(fraction)


def identity(cell: Cell, data: Data, codec: Codec, network: Network, space: MatchSpace, codes: Codes) -> dict[str, Any]:
    """What names a match space's real values and its networks: in signal space the codec has no part in it."""
    seen: dict[str, Any] = {
        "dataset": data.card.name,
        "revision": data.card.revision,
        "evaluate_on": cell.protocol.evaluate_on,
        "space": cell.space,
        "shape": list(space.shape),
        "augmentation": space.augmentation,
        "network": cell.network.model_dump(mode="json"),
        "network_version": network.version,
    }
    if cell.space == "code":
        shared = {x.name for x in (*codec.leaves(), *codec.refitted()) if x.scope != "item"}
        seen |= {
            "codec": cell.codec.model_dump(mode="json"),
            "codec_version": codec.version,
            "codec_state": state_digest({n: c for n, c in codes.items() if n in shared}),
        }
    return seen


def state_digest(codes: Codes) -> str:
    """SHA-256 of the leaves' names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name, leaf in sorted(codes.items()):
        assert isinstance(leaf, Tensor), "class and set leaves are tensors"
        flat = leaf.detach().cpu().contiguous().flatten()
        found.update(f"{name} {leaf.dtype} {tuple(leaf.shape)};".encode())
        found.update(flat.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
