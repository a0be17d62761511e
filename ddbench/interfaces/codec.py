"""A codec: how an item is stored, and how stored items become the signals that networks are trained on."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import Plugin, PluginConfig
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf, Storage
from ddbench.result.schema import UNDISCLOSED as UNDISCLOSED


@dataclass(frozen=True)
class Ragged:
    """M byte strings: uint8 `values` and int32 `offsets` `[M + 1]`; row i is values[offsets[i]:offsets[i+1]]."""

    values: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, rows: list[bytes]) -> Ragged:
        offsets = torch.tensor([0, *(len(r) for r in rows)], dtype=torch.int64).cumsum(0).to(torch.int32)
        return cls(
            torch.frombuffer(bytearray(b"".join(rows)) or bytearray(1), dtype=torch.uint8)[: offsets[-1]], offsets
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, i: int) -> bytes:
        return self.values[int(self.offsets[i]) : int(self.offsets[i + 1])].numpy().tobytes()

    def take(self, index: list[int]) -> Ragged:
        return Ragged.of([self.row(i) for i in index])


Codes = dict[str, Tensor | Ragged]
"""A stored set by leaf name. Item leaves `[M, ...]`, class leaves `[K, ...]`, set leaves as they are."""


Tensors = dict[str, Tensor]
"""Codes without byte strings."""


@dataclass(frozen=True)
class Target:
    """What a codec is built for: the signals, the classes, and the room there is."""

    signal: SignalSpec
    n_classes: int
    cap_bytes: int
    """Bytes of the whole set."""
    storage: Storage = "float32"
    family: str = ""
    """Of the dataset (`DatasetCard.family`); '' where it is not known. What was fitted on it beforehand is paid for."""


@dataclass(frozen=True)
class Decoded:
    """Signals `[P, *shape]`, normalised, and for each the row of the stored item it came from, `[P]`."""

    signals: Float[Tensor, "p *shape"]
    source: Int[Tensor, " p"]


@dataclass(frozen=True)
class CodecWork:
    """What one signal's way through a codec's networks takes: FLOP, alike in any precision, and bytes on a CPU."""

    encode: float = 0.0
    decode: float = 0.0
    weights: float = 0.0
    """What a gradient takes beyond the way back to the code, which is as long as `decode`: that of learned weights."""
    networks_bytes: int = 0
    """Weights of the networks."""
    pass_bytes: int = 0
    """Of each signal that is encoded or decoded at once without a gradient, beside the networks."""
    most_at_once: int | None = None
    """Signals that pass at once without a gradient; None: all that the codec is given."""
    gradient_bytes: int = 0
    """Of each signal that is decoded at once and has a gradient passed back, beside the networks."""


class Codec(Plugin):
    """Stores signals as codes. Stateless: what was fitted or chosen travels in the codes as class and set leaves.

    The signal's way: `x → encode → {item leaves} ∪ {class, set leaves} → decode → x̂`. Codes are float32 while learned;
    the framework rounds them to the storage type when they are written, charges every leaf and reads them back.
    """

    differentiable: ClassVar[bool] = True
    """Whether gradients pass through `decode`; without, only selectors can use the codec."""
    signals_per_item: int = 1
    """How many signals one item stores; `encode` takes that many consecutive signals an item."""
    code_leaf: str | None = None
    """The item leaf that networks see in code space; None where there is no code space (class leaves leak labels)."""
    decode_chunk: int | None = None
    """Items decoded at once while gradients are passed back; None: all. Deep decoders set it, so memory stays flat."""
    decoder_bytes: int = 0
    """Bytes of a decoder fitted on other data only: reported, not charged."""
    decoder_training_data: str = ""
    """In words; `UNDISCLOSED` or nothing where it is not known: rows of such a decoder are not ranked."""
    free_in_domain: bool = False
    """Whether `decoder_bytes` were fitted on the dataset itself and yet cost nothing; then rows are not ranked."""
    keeps_encodings: ClassVar[bool] = False
    """Whether encoding takes long enough that a training set's codes are kept in the cache for all cells.

    Only for codecs with a code space whose `encode` looks at no leaf of `shared`.
    """

    symbols: ClassVar[bool] = False
    """Whether it takes signals of symbols (`SignalSpec.symbols`); without, their values would pass for numbers."""
    takes_masks: ClassVar[bool] = False
    """Whether it stores masked signals (`SignalSpec.mask`) itself; without, it sees padded signals and no mask, and the
    framework stores their lengths beside its leaves (`ddbench.interfaces.lengths`)."""

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        super().__init__(config)
        self.target = target

    @property
    def encodes_by(self) -> dict[str, Any]:
        """The arguments on which the code leaf depends, under which `keeps_encodings` keeps codes. Default: all."""
        return self.config.model_dump(mode="json")

    @property
    def title(self) -> str:
        """What messages call it."""
        return type(self).__name__

    @abstractmethod
    def leaves(self) -> tuple[Leaf, ...]:
        """Every tensor that is stored. At least one has scope `item`."""

    @abstractmethod
    def encode(self, x: Float[Tensor, "m_s *shape"], y: Int[Tensor, " m_s"], shared: Codes) -> Codes:
        """Item leaves, `[M, ...]` or ragged, of normalised signals `[M·signals_per_item, *shape]`."""

    @abstractmethod
    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Signals of the M items whose item leaves stand in `codes`; class leaves are whole, to be indexed by `y`.

        Differentiable in every learned leaf where `differentiable`. `generator` is for stochastic decoders only. Every
        item yields the same number of signals, in any order.
        """

    def fit(self, train: Source, generator: Generator) -> Codes:
        """Class and set leaves fitted on the whole training set (charged, since they are stored). Default: none."""
        return {}

    def work(self) -> CodecWork:
        """What a signal takes to be encoded and decoded; hours and memory of plans. Default: it does not say."""
        return CodecWork()

    def chunk_of(self, m: int) -> int | None:
        """Of m items that a gradient is passed back to, how many are decoded at once, and then each once more for it.

        None where all are decoded at once, and once.
        """
        return self.decode_chunk if self.decode_chunk is not None and self.decode_chunk < m else None

    @property
    def has_fit(self) -> bool:
        """Whether `fit` gives leaves. Default: whether the codec defines it."""
        return type(self).fit is not Codec.fit

    def refitted(self) -> tuple[Leaf, ...]:
        """Class and set leaves of `fit` that are not stored: whoever reads the set fits them again on the training set.

        Default: none, for they cost no bytes though the set is of no use without them, and so rows of such a codec are
        not ranked (DESIGN.md §5, "Who pays for the decoder"). `leaves()` does not name them; `encode` and `decode` find
        them among the others.
        """
        return ()

    def begin(self, x: Float[Tensor, "m_s *shape"], y: Int[Tensor, " m_s"], generator: Generator) -> Codes:
        """Class and set leaves chosen from a row's initial signals, or from constants. Default: none."""
        return {}

    def settle(self, codes: Codes, y: Int[Tensor, " m"], train: Source, encoded: Float[Tensor, "n *code"]) -> Codes:
        """The leaves as they are to be stored, of those that were learned in code space. Default: as they are.

        `encoded` are the training set's codes in the order of `train`. For codecs that store something real in the
        place of a learned code: the nearest text, which stands in `leaves()` beside a derived code leaf.
        """
        return codes

    def code_augmentation(self, strategy: str) -> str:
        """The part of the dataset's augmentation `strategy` that makes sense on codes; '' for none.

        It acts on standardised codes, in matching as in training students on codes; docs/concepts.md says which
        operations mean the same on a code as on its signal.
        """
        return ""
