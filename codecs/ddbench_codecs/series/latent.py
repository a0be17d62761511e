"""What codecs share whose code is the latent of a network over time: shapes, who pays, and the way there and back."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

import torch
from jaxtyping import Float, Int
from pydantic import Field, field_validator
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ddbench.budget import FLOAT32_BYTES
from ddbench.canonical import canonical
from ddbench.errors import SpecError
from ddbench.interfaces.codec import UNDISCLOSED, Codec, CodecWork, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench.written import ADDED
from ddbench_codecs.autoencoders.config import below
from ddbench_codecs.autoencoders.domain import in_domain
from ddbench_codecs.autoencoders.weights import Weights
from ddbench_codecs.counted import flop_of, peak_of, peak_of_gradient
from ddbench_codecs.items import dense, one_signal_each

ON_LATENTS = ("crop", "cutout", "scale", "timemask")
"""Families that keep their meaning on latents over time: cells are local."""


class SeriesModel(Protocol):
    """A network of one-channel series. Names of the weights that `decode` uses begin with 'decoder.'."""

    f: int
    C: int

    def encode(self, x: Float[Tensor, "b 1 t"]) -> Float[Tensor, "b C s"]: ...

    def decode(self, z: Float[Tensor, "b C s"]) -> Float[Tensor, "b 1 t"]: ...

    def named_parameters(self) -> Any: ...


class SeriesLatentConfig(PluginConfig):
    """Arguments of codecs over time."""

    model: str = Field(min_length=1, description="A folder below $DDBENCH_MODELS, or shipped:NAME.")
    in_domain: Annotated[Literal["charge", "free"], ADDED] = Field(
        "charge",
        description="A decoder trained on the dataset itself is stored and paid for, or free and the row not ranked.",
    )

    @field_validator("model")
    @classmethod
    def _no_path(cls, value: str) -> str:
        return below(value)


class SeriesLatent(Codec):
    """Stores `z [c·C, ⌈t/f⌉]` of a series `[c, t]`: every channel by itself through one network, so it takes any c.

    `x → last value repeated up to a multiple of f → encoder, channel by channel → z → decoder → cut to t → x̂`

    As with the other autoencoders, a step on codes is scaled by D/P, numbers of the code over those of the signal.
    """

    Config = SeriesLatentConfig
    code_leaf = "z"
    takes_raw: ClassVar[bool] = False
    """Whether the network takes raw values, samples of a sound, and not normalised ones."""

    @classmethod
    @abstractmethod
    def weights_of(cls, name: str) -> Weights:
        """The weights of that name, checked. Raises: DataError where they are missing, damaged or another model's."""

    @classmethod
    @abstractmethod
    def model_of(cls, weights: Weights) -> Any:
        """The network (`SeriesModel`, an nn.Module) with its weights in float32. Raises: DataError."""

    @classmethod
    def version_with(cls, config: Any) -> str:
        """The version and the digest of the weights. Raises: DataError where they are not here, or not whole."""
        return f"{cls.version}+{cls.weights_of(config.model).digest[:16]}"

    @classmethod
    def fetch(cls, config: Any, download: bool, tell: Callable[[float], None]) -> str:
        return f"weights here, in {cls.weights_of(config.model).folder}"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: DataError where there are no weights to use; SpecError for signals that are no series."""
        super().__init__(config, target)
        if len(target.signal.extent) != 1:
            raise SpecError(
                f"The codec {type(self).__name__} stores series, shape (channels, positions); these signals have shape "
                f"{target.signal.shape}. Use 'identity' or 'pca'."
            )
        self.weights = self.weights_of(self.config.model)
        self.version = f"{type(self).version}+{self.weights.digest[:16]}"  # pyright: ignore[reportAttributeAccessIssue]
        self.model: Any = self._on(torch.empty(0))
        channels, self.t = target.signal.shape
        self.cells = -(-self.t // self.model.f)
        self.shape = (channels * self.model.C, self.cells)
        card = self.weights.card
        self.decoder_training_data = (card.training_data if card else "") or UNDISCLOSED
        own = in_domain(card.datasets if card else (), target.family)
        self.charged = own and self.config.in_domain == "charge"
        self.free_in_domain = own and not self.charged
        decoder = {n: p for n, p in self.model.named_parameters() if n.startswith("decoder.")}
        self.decoder_bytes = 0 if self.charged else sum(4 * p.numel() for p in decoder.values())
        self._paid = {n: p.detach() for n, p in decoder.items()} if self.charged else {}

    def work(self) -> CodecWork:
        return _work(self.model, self.target.signal.shape[0], self.cells)

    @property
    def has_fit(self) -> bool:
        return self.charged

    def leaves(self) -> tuple[Leaf, ...]:
        code = Leaf("z", "item", self.shape, lr_scale=prod(self.shape) / prod(self.target.signal.shape))
        paid = (Leaf(_leaf(n), "set", tuple(p.shape), learned=False) for n, p in self._paid.items())
        return (code, *paid)

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The decoder's weights, where they are paid for; nothing is fitted, they were."""
        return {_leaf(n): p.clone() for n, p in self._paid.items()}

    def encode(self, x: Float[Tensor, "m c t"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        model = self._on(x)
        whole = F.pad(
            self.target.signal.denormalise(x) if self.takes_raw else x,
            (0, self.cells * model.f - self.t),
            mode="replicate",
        )
        with torch.no_grad():
            z = model.encode(whole.flatten(0, 1)[:, None])
        return {"z": z.reshape(len(x), *self.shape)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        model, rows = self._on(z), z.reshape(-1, self.model.C, self.cells)
        held = {f"model.{n}": dense(codes, _leaf(n)).to(z) for n in self._paid}
        x = functional_call(_Decoding(model), held, (rows,)) if held else model.decode(rows)
        x = x[..., : self.t].reshape(len(z), *self.target.signal.shape)
        if self.takes_raw:  # in the type of the codes, to check gradients
            mean, std = (x.new_tensor(v)[:, None] for v in (self.target.signal.mean, self.target.signal.std))
            x = (x - mean) / std
        return one_signal_each(x)

    def code_augmentation(self, strategy: str) -> str:
        """Shifts, holes and stretches in time; jitter and gain are of signals."""
        return "_".join(family for family in strategy.split("_") if family in ON_LATENTS)

    def _on(self, like: Tensor) -> Any:
        weights = self.weights
        return _loaded(type(self), canonical(weights.config), weights.files, weights.digest, like.device, like.dtype)


class _Decoding(nn.Module):
    """`decode` as a module's forward, so that stored weights can stand in for the model's own."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        return self.model.decode(z)


def _leaf(weight: str) -> str:
    return "w_" + weight.replace(".", "__")


@lru_cache(maxsize=32)
def _work(model: Any, channels: int, cells: int) -> CodecWork:
    """Of a series, by a real pass: these networks are small, and some ask their own numbers for lengths."""
    x, z = torch.zeros(channels, 1, cells * model.f), torch.zeros(channels, model.C, cells)
    return CodecWork(
        encode=flop_of(lambda: model.encode(x)),
        decode=flop_of(lambda: model.decode(z)),
        networks_bytes=sum(p.numel() * FLOAT32_BYTES for p in model.parameters()),
        pass_bytes=max(peak_of(lambda: model.encode(x)), peak_of(lambda: model.decode(z))),
        gradient_bytes=peak_of_gradient(model.decode, z),
    )


@lru_cache(maxsize=8)
def _loaded(
    codec: type[SeriesLatent], config: str, files: tuple[Path, ...], digest: str, device: torch.device,
    dtype: torch.dtype,
) -> Any:  # fmt: skip
    """The model on a device in a type; weights that have changed are read anew, by their digest."""
    import json

    if dtype == torch.float32 and device.type == "cpu":
        return codec.model_of(Weights(files[0].parent, json.loads(config), None, files)).eval().requires_grad_(False)
    whole = _loaded(codec, config, files, digest, torch.device("cpu"), torch.float32)
    return copy.deepcopy(whole).to(device=device, dtype=dtype)
