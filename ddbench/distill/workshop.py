"""What the making of one cell's set needs, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ddbench import rng
from ddbench.data import Data
from ddbench.distill.task import Streams
from ddbench.errors import Divergence, PluginError
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.network import Network
from ddbench.leaf import Leaf
from ddbench.spec.cell import Cell


@dataclass
class Built:
    """A set before it is written: all leaves, items of each class, and what a reader must know."""

    codes: Codes
    counts: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    extra: tuple[Leaf, ...] = ()
    losses: tuple[tuple[int, float], ...] = ()
    notes: tuple[str, ...] = ()
    divergence: Divergence | None = None


@dataclass
class Workshop:
    """Everything that the making of one cell's set needs."""

    cell: Cell
    data: Data
    codec: Codec
    network: Network
    cap_bytes: int
    device: torch.device
    fitted: Codes
    """Class and set leaves fitted on the training set."""

    @property
    def n_classes(self) -> int:
        return self.data.card.n_classes

    @property
    def streams(self) -> Streams:
        return Streams(self.data.card.revision, self.cell.seed)

    def encode(self, index: Int[Tensor, "k n_s"]) -> Codes:
        """All leaves of a set of the given training items; class and set leaves may be chosen from them."""
        x, y = self._signals(index)
        stream = rng.generator("codec-begin", dataset=self.data.card.revision, seed=self.cell.seed)
        shared = self.fitted | self.codec.begin(x, y, stream)
        return self._checked(shared | self.codec.encode(x, y, shared))

    def _checked(self, codes: Codes) -> Codes:
        """The codes as they are. Raises: PluginError where some are not finite."""
        for name, leaf in codes.items():
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and not bool(leaf.isfinite().all()):
                raise PluginError(
                    f"The codec {self.cell.codec} gives values that are not finite in its leaf {name!r} for real items "
                    f"of {self.data.card.name!r}. Change its arguments, or leave it out for this dataset."
                )
        return codes

    def encode_items(self, index: Int[Tensor, "k n_s"], shared: Codes) -> Codes:
        """Item leaves alone, under class and set leaves that stay: what was prepared may rest on them."""
        return self._checked(self.codec.encode(*self._signals(index), shared))

    def _signals(self, index: Int[Tensor, "k n_s"]) -> tuple[Tensor, Tensor]:
        flat = index.flatten()
        return self.data.signals(flat).to(self.device), self.data.train.labels[flat].to(self.device)


def no_clash(leaves: tuple[Leaf, ...], extra: tuple[Leaf, ...]) -> None:
    """Raises: PluginError where codec and method both declare a leaf of one name."""
    if clash := {x.name for x in leaves} & {x.name for x in extra}:
        raise PluginError(f"Codec and method both declare a leaf {', '.join(sorted(clash))}; rename the method's.")
