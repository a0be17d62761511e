"""The match space of a cell: what the networks see of real items and of stored ones, and how gradients go back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench.data import Data
from ddbench.distill.encoded import Tell, check_finite, encode_split, standardisation
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Tensors
from ddbench.interfaces.method import Space
from ddbench.leaf import Leaf


class MatchSpace(ABC):
    """Real values by training index, stored codes as learnable parameters, and parameters as match-space values."""

    shape: tuple[int, ...]
    """Shape of one value, channels first."""
    augmentation: str
    device: torch.device

    @abstractmethod
    def real(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b *shape"]:
        """Match-space values of training items, on the space's device."""

    @abstractmethod
    def parameters(self, codes: Codes, leaves: tuple[Leaf, ...]) -> dict[str, tuple[Tensor, float]]:
        """Learnable tensors by leaf name, with the factor on their learning rate."""

    @abstractmethod
    def values(
        self, params: Tensors, codes: Tensors, y: Int[Tensor, " m"], generator: Generator
    ) -> tuple[Float[Tensor, "p *shape"], Int[Tensor, " p"]]:
        """(match-space values, row of the item each came from) of the items in `codes`, differentiable in `params`."""

    @abstractmethod
    def noise(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Codes:
        """Item leaves of m items whose match-space values are N(0, 1), as far as the codec can hold them."""

    def stored(self, params: Tensors) -> Tensors:
        """Parameters as code leaves."""
        return {name: p.detach() for name, p in params.items()}


@dataclass
class SignalSpace(MatchSpace):
    """Networks see `decode(z)` and real signals: GLaD, FreD, IDC and, with the identity codec, the pixel methods."""

    data: Data
    codec: Codec
    device: torch.device

    def __post_init__(self) -> None:
        self.shape = self.data.card.signal.shape
        self.augmentation = self.data.card.signal.strategy

    @cached_property
    def _raw(self) -> Tensor:
        return self.data.train.signals.to(self.device)

    def real(self, index: Int[Tensor, " b"]) -> Tensor:
        return self.data.card.signal.normalise(self._raw[index.to(self.device)])

    def parameters(self, codes: Codes, leaves: tuple[Leaf, ...]) -> dict[str, tuple[Tensor, float]]:
        return {x.name: (_parameter(codes[x.name], self.device), x.lr_scale) for x in leaves if x.learned}

    def values(self, params: Tensors, codes: Tensors, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        decoded = self.codec.decode({**codes, **params}, y, generator)
        return decoded.signals, decoded.source

    def noise(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Codes:
        y = y.repeat_interleave(self.codec.signals_per_item)
        x = torch.randn(len(y), *self.shape, generator=generator).to(self.device)
        return self.codec.encode(x, y.to(self.device), codes)


@dataclass
class CodeSpace(MatchSpace):
    """Networks see the code leaf itself, standardised per channel on the real codes (LatentDD)."""

    data: Data
    codec: Codec
    device: torch.device
    shared: Codes
    """Class and set leaves that `encode` needs."""
    tell: Tell = lambda fraction: None
    """Told how much of the training set is encoded."""

    def __post_init__(self) -> None:
        if self.codec.code_leaf is None:
            raise SpecError(f"The codec {self.codec.title} has no code space; match it in signal space.")
        if self.codec.signals_per_item != 1:
            raise SpecError(
                f"An item of the codec {self.codec.title} stores {self.codec.signals_per_item} signals; in "
                "code space one code stands for one signal. Match it in signal space."
            )
        self.leaf = self.codec.code_leaf
        encoded = encode_split(self.codec, self.shared, self.data, "train", self.device, self.tell)
        self.shape = tuple(encoded.shape[1:])
        check_finite(encoded, self.codec, f"training items of {self.data.card.name!r}")
        self.augmentation = self.codec.code_augmentation(self.data.card.signal.augmentation)
        self.mean, self.std = standardisation(encoded)
        self._real = (encoded - self.mean) / self.std

    def real(self, index: Int[Tensor, " b"]) -> Tensor:
        return self._real[index.to(self.device)]

    def parameters(self, codes: Codes, leaves: tuple[Leaf, ...]) -> dict[str, tuple[Tensor, float]]:
        code = _parameter(codes[self.leaf], self.device)
        return {self.leaf: (((code.detach() - self.mean) / self.std).requires_grad_(), 1.0)}

    def values(self, params: Tensors, codes: Tensors, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        return params[self.leaf], torch.arange(len(y), device=self.device)

    def noise(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Codes:
        z = torch.randn(len(y), *self.shape, generator=generator).to(self.device)
        return {**self.stored({self.leaf: z})}

    def stored(self, params: Tensors) -> Tensors:
        return {self.leaf: params[self.leaf].detach() * self.std + self.mean}


def match_space(
    space: Space,
    data: Data,
    codec: Codec,
    shared: Codes,
    device: torch.device,
    tell: Tell = lambda fraction: None,
) -> MatchSpace:
    return CodeSpace(data, codec, device, shared, tell) if space == "code" else SignalSpace(data, codec, device)


def _parameter(value: object, device: torch.device) -> Tensor:
    assert isinstance(value, Tensor), "byte strings are not learned"
    return value.detach().to(device, torch.float32).clone().requires_grad_()
