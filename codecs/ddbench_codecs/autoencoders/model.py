"""The network itself: its shapes without its weights, its weights without anything else, once a process and device."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ddbench.budget import FLOAT32_BYTES
from ddbench.canonical import canonical
from ddbench.errors import DataError
from ddbench.interfaces.codec import CodecWork
from ddbench_codecs.autoencoders.adapters import ADAPTERS, Adapter
from ddbench_codecs.autoencoders.weights import Weights, present_name
from ddbench_codecs.counted import flop_of, peak_of, peak_of_gradient

PROBE = 256
"""Side of the picture by which a model is asked for its stride; no stride is larger."""


@dataclass(frozen=True)
class Geometry:
    """What a model makes of pictures."""

    channels: int
    f: int
    """Pixels a cell of the code, along each axis."""
    C: int


def adapter_of(weights: Weights) -> Adapter:
    """Raises: DataError for a class that has no adapter."""
    name = weights.config["_class_name"]
    if name not in ADAPTERS:
        raise DataError(
            f"{weights.folder} holds a model of class {name!r}; there are adapters for {', '.join(ADAPTERS)}. Others "
            "can be added in ddbench_codecs/autoencoders/adapters.py."
        )
    return ADAPTERS[name]


def geometry(weights: Weights) -> Geometry:
    """Channels, stride and latent channels, asked of the model itself on empty tensors.

    Raises: DataError where config.json describes no model, or one whose decoder does not give back what it was given.
    """
    adapter_of(weights)
    try:
        return _geometry(canonical(weights.config))
    except (TypeError, ValueError, RuntimeError, KeyError, IndexError, AttributeError) as error:
        raise DataError(f"{weights.folder}/config.json describes no model that works: {error}.") from error


def check_fit(weights: Weights) -> None:
    """Raises: DataError naming weights that are missing, unknown, or of another shape than config.json asks for."""
    geometry(weights)
    wanted = _shapes(canonical(weights.config))
    found = {n: e.shape for n, e in weights.entries.items()}
    faults = [f"{n} is missing" for n in wanted if n not in found]
    faults += [f"{n} is not known" for n in found if n not in wanted]
    faults += [f"{n} has shape {found[n]}, not {wanted[n]}" for n in wanted if n in found and found[n] != wanted[n]]
    if faults:
        files = ", ".join(file.name for file in weights.files)
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise DataError(
            f"The weights in {weights.folder} ({files}) do not fit its config.json: {'; '.join(faults[:3])}{more}. The "
            "two are of different models: fetch or copy both again."
        )
    scale_of(weights)


def scale_of(weights: Weights) -> tuple[Tensor, Tensor]:
    """(shift, factor) `[C or 1, 1, 1]` in float64: the code is (latent − shift)·factor, of about unit variance.

    Raises: DataError where config.json gives no such numbers.
    """
    config = skeleton(canonical(weights.config)).config
    stated = weights.config if not adapter_of(weights).scaled_by_default else config
    factor, shift = (stated.get(n) for n in ("scaling_factor", "shift_factor"))
    mean, std = (config.get(n) for n in ("latents_mean", "latents_std"))
    try:
        shift = _per_channel(mean if mean is not None else shift or 0.0)
        factor = _per_channel(1.0 if factor is None else factor) / _per_channel(std if std is not None else 1.0)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{weights.folder}/config.json gives scales of codes that are no numbers: {error}.") from error
    C = geometry(weights).C
    sound = all(t.isfinite().all() and len(t) in (1, C) for t in (shift, factor)) and bool((factor != 0).all())
    if not sound:
        raise DataError(
            f"{weights.folder}/config.json should scale codes by finite numbers that are not 0, one or {C}, one a "
            f"channel (scaling_factor, latents_std; shift_factor, latents_mean); they come to the factors "
            f"{factor.flatten().tolist()} and shifts {shift.flatten().tolist()}."
        )
    return shift, factor


@lru_cache(maxsize=8)
def skeleton(config: str) -> Any:
    """The model of a config (canonical JSON) with empty tensors."""
    import diffusers
    from diffusers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # it warns of every field of an older or newer config
    try:
        raw = json.loads(config)
        with torch.device("meta"):
            return getattr(diffusers, raw["_class_name"]).from_config(raw).eval().requires_grad_(False)
    finally:
        logging.set_verbosity(before)


@lru_cache(maxsize=32)
def _shapes(config: str) -> dict[str, tuple[int, ...]]:
    """Of all weights by name; plans ask for every cell."""
    return {name: tuple(tensor.shape) for name, tensor in skeleton(config).state_dict().items()}


@lru_cache(maxsize=32)
def _geometry(config: str) -> Geometry:
    model = skeleton(config)
    adapter, c = ADAPTERS[type(model).__name__], model.config["in_channels"]
    with torch.no_grad():
        z = adapter.encode(model, torch.empty(1, c, PROBE, PROBE, device="meta"))
        back = adapter.decode(model, z)
    f = PROBE // z.shape[-1]
    if tuple(z.shape[2:]) != (PROBE // f, PROBE // f) or tuple(back.shape[1:]) != (c, PROBE, PROBE):
        raise ValueError(
            f"of a picture of {c} × {PROBE} × {PROBE} it makes {tuple(z.shape[1:])}, then {tuple(back.shape[1:])}"
        )
    return Geometry(c, f, z.shape[1])


def work(weights: Weights, extent: tuple[int, int], most_at_once: int) -> CodecWork:
    """Of pictures of that extent, so many at once where no gradient is asked for; in float32."""
    return _work(canonical(weights.config), extent, most_at_once)


def loaded(weights: Weights, digest: str, device: torch.device, dtype: torch.dtype) -> Any:
    """The model with its weights, for use alone; `digest` is that of the weights, so that changed ones are read anew.

    Raises: DataError where they cannot be read.
    """
    return _loaded(canonical(weights.config), weights.files, digest, device, dtype)


@lru_cache(maxsize=32)
def _work(config: str, extent: tuple[int, int], most_at_once: int) -> CodecWork:
    model, shape = skeleton(config), _geometry(config)
    adapter, (H, W) = ADAPTERS[type(model).__name__], extent
    x = torch.empty(1, shape.channels, H, W, device="meta")
    z = torch.empty(1, shape.C, H // shape.f, W // shape.f, device="meta")
    return CodecWork(
        encode=flop_of(lambda: adapter.encode(model, x)),
        decode=flop_of(lambda: adapter.decode(model, z)),
        networks_bytes=sum(p.numel() * FLOAT32_BYTES for p in model.parameters()),
        pass_bytes=max(peak_of(lambda: adapter.encode(model, x)), peak_of(lambda: adapter.decode(model, z))),
        most_at_once=most_at_once,
        gradient_bytes=peak_of_gradient(lambda z: adapter.decode(model, z), z),
    )


@lru_cache(maxsize=3)
def _loaded(config: str, files: tuple[Path, ...], digest: str, device: torch.device, dtype: torch.dtype) -> Any:
    model = copy.deepcopy(skeleton(config))
    # `assign` puts the tensors in the place of the empty ones; nothing is drawn at random on the way
    model.load_state_dict(read(files), assign=True)
    # not diffusers' own `to`, which warns of every cast
    nn.Module.to(model, device=device, dtype=dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return model.eval().requires_grad_(False)


def read(files: Iterable[Path], beginnings: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """The weights whose names begin so, as the files hold them. Raises: DataError where they cannot be read."""
    found: dict[str, Tensor] = {}
    for file in files:
        try:
            found |= {present_name(n): t for n, t in load_file(file).items()}
        except (OSError, SafetensorError) as error:
            raise DataError(f"{file} cannot be read: {error}. Fetch or copy it again.") from error
    return {n: t for n, t in found.items() if n.startswith(beginnings)}


class Decoding(nn.Module):
    """`decode` as a module's forward, so that stored weights can stand in for the model's own."""

    def __init__(self, model: Any, decode: Any) -> None:
        super().__init__()
        self.model, self.decode = model, decode

    def forward(self, z: Tensor) -> Tensor:
        return self.decode(self.model, z)


def _per_channel(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64).reshape(-1, 1, 1)
