"""The codec `autoencoder1d`: each channel of a series as the latent of a network that was trained beforehand."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, field_validator
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ddbench.canonical import canonical
from ddbench.errors import DataError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench.written import ADDED
from ddbench_codecs.autoencoders.config import below
from ddbench_codecs.autoencoders.domain import in_domain
from ddbench_codecs.autoencoders.model import read
from ddbench_codecs.autoencoders.places import Place
from ddbench_codecs.autoencoders.weights import Weights, find
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.series.net import CLASS_NAME, SeriesAutoencoder, built
from ddbench_codecs.series.training import SeriesTraining

ON_LATENTS = ("crop", "cutout", "scale", "timemask")
"""Families that keep their meaning on latents over time: cells are local."""


class Autoencoder1dConfig(PluginConfig):
    """Arguments of `autoencoder1d`."""

    model: str = Field(min_length=1, description="A folder below $DDBENCH_MODELS, or shipped:NAME.")
    in_domain: Annotated[Literal["charge", "free"], ADDED] = Field(
        "charge",
        description="A decoder trained on the dataset itself is stored and paid for, or free and the row not ranked.",
    )

    @field_validator("model")
    @classmethod
    def _no_path(cls, value: str) -> str:
        return below(value)


class Autoencoder1d(SeriesTraining, Codec):
    """Stores `z [c·C, ⌈t/f⌉]` of a series `[c, t]`: every channel by itself through one network, so it takes any c.

    `x → last value repeated up to a multiple of f → encoder, channel by channel → z → decoder → cut to t → x̂`

    As with the other autoencoders, a step on codes is scaled by D/P, numbers of the code over those of the signal.
    """

    version = "1"
    source = "LatentDD, arXiv 2311.15547, with a network over time; trained by `ddbench codec train`"
    Config = Autoencoder1dConfig
    code_leaf = "z"

    @classmethod
    def version_with(cls, config: Any) -> str:
        """The version and the digest of the weights. Raises: DataError where they are not here, or not whole."""
        return f"{cls.version}+{_weights(config.model).digest[:16]}"

    @classmethod
    def fetch(cls, config: Any, download: bool, tell: Callable[[float], None]) -> str:
        return f"weights here, in {_weights(config.model).folder}"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: DataError where there are no weights to use; SpecError for signals that are no series."""
        super().__init__(config, target)
        if len(target.signal.extent) != 1:
            raise SpecError(
                f"The codec 'autoencoder1d' stores series, shape (channels, positions); these signals have shape "
                f"{target.signal.shape}. Use 'identity' or 'pca'."
            )
        self.weights = _weights(self.config.model)
        self.version = f"{type(self).version}+{self.weights.digest[:16]}"  # pyright: ignore[reportAttributeAccessIssue]
        self.model = _loaded(canonical(self.weights.config), self.weights.files, self.weights.digest)
        channels, self.t = target.signal.shape
        self.cells = -(-self.t // self.model.f)
        self.shape = (channels * self.model.C, self.cells)
        card = self.weights.card
        self.decoder_training_data = (card.training_data if card else "") or "not stated"
        own = in_domain(card.datasets if card else (), target.family)
        self.charged = own and self.config.in_domain == "charge"
        self.free_in_domain = own and not self.charged
        decoder = {n: p for n, p in self.model.named_parameters() if n.startswith("decoder.")}
        self.decoder_bytes = 0 if self.charged else sum(4 * p.numel() for p in decoder.values())
        self._paid = {n: p.detach() for n, p in decoder.items()} if self.charged else {}

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
        whole = F.pad(x, (0, self.cells * model.f - self.t), mode="replicate")
        with torch.no_grad():
            z = model.encode(whole.flatten(0, 1)[:, None])
        return {"z": z.reshape(len(x), *self.shape)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        model, rows = self._on(z), z.reshape(-1, self.model.C, self.cells)
        held = {f"model.{n}": dense(codes, _leaf(n)).to(z) for n in self._paid}
        x = functional_call(_Decoding(model), held, (rows,)) if held else model.decode(rows)
        return one_signal_each(x[..., : self.t].reshape(len(z), *self.target.signal.shape))

    def code_augmentation(self, strategy: str) -> str:
        """Shifts, holes and stretches in time; jitter and gain are of signals."""
        return "_".join(family for family in strategy.split("_") if family in ON_LATENTS)

    def _on(self, like: Tensor) -> SeriesAutoencoder:
        return _moved(canonical(self.weights.config), self.weights.files, self.weights.digest, like.device, like.dtype)


class _Decoding(nn.Module):
    """`decode` as a module's forward, so that stored weights can stand in for the model's own."""

    def __init__(self, model: SeriesAutoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        return self.model.decode(z)


def _leaf(weight: str) -> str:
    return "w_" + weight.replace(".", "__")


def _weights(name: str) -> Weights:
    """The weights of that name, checked. Raises: DataError where they are missing, cut short or another model's."""
    weights = find(Place(name))
    if weights.config["_class_name"] != CLASS_NAME:
        raise DataError(
            f"{weights.folder} holds a {weights.config['_class_name']}, not a {CLASS_NAME}: "
            "`ddbench codec train autoencoder1d` makes such weights, and other codecs take other models."
        )
    try:
        with torch.device("meta"):
            wanted = {n: tuple(p.shape) for n, p in built(weights.config).named_parameters()}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{weights.folder}/config.json describes no model that works: {error}.") from error
    found = {n: e.shape for n, e in weights.entries.items()}
    if found != wanted:
        amiss = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise DataError(
            f"The weights in {weights.folder} do not fit its config.json: {', '.join(amiss[:3])}. Copy both again."
        )
    return weights


@lru_cache(maxsize=4)
def _loaded(config: str, files: tuple[Path, ...], digest: str) -> SeriesAutoencoder:
    import json

    model = built(json.loads(config))
    model.load_state_dict({n: t.float() for n, t in read(files).items()})
    return model.eval().requires_grad_(False)


@lru_cache(maxsize=8)
def _moved(
    config: str, files: tuple[Path, ...], digest: str, device: torch.device, dtype: torch.dtype
) -> SeriesAutoencoder:
    import copy

    return copy.deepcopy(_loaded(config, files, digest)).to(device=device, dtype=dtype)
