"""Training of the series autoencoder for `ddbench codec train autoencoder1d`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, log, pi
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from safetensors.torch import save
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.optim import AdamW

from ddbench import rng
from ddbench.canonical import digest
from ddbench.errors import ArtifactError, Divergence, SpecError
from ddbench.files import write_atomic
from ddbench.interfaces.codec_training import Trained, TrainingSet, Work
from ddbench.interfaces.plugin import PluginConfig
from ddbench.sealed import read_sealed, storable, write_sealed
from ddbench_codecs.autoencoders.places import CONFIG, STEM
from ddbench_codecs.series.net import SeriesAutoencoder

VERSION = "1"
"""Changes whenever the same arguments would give other weights."""
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
TOLD = 20
"""Lines of progress."""
HELD_OUT = 0.1
CHECKED = 512
"""Windows of each dataset that the error is told on."""


class SeriesTrainConfig(PluginConfig):
    """Arguments of `ddbench codec train autoencoder1d`."""

    f: Literal[2, 4, 8, 16] = Field(4, description="Down-sampling factor of the code.")
    channels: int = Field(1, ge=1, le=64, description="C: channels of the code for each channel of the signal.")
    width: int = Field(32, ge=1, description="Channels of the hidden layers.")
    crop: int = Field(64, ge=8, description="Positions of a training window; a multiple of f.")
    zoom: float = Field(8.0, ge=1, description="Windows of longer series are up to so many crops long, shrunk.")
    batch: int = Field(128, ge=1, description="Windows a step, all of one dataset, which is drawn.")
    steps: int = Field(3000, ge=1, description="Steps.")
    lr: float = Field(2e-3, gt=0, description="Highest learning rate of AdamW; half a cosine down to 0.")
    seed: int = Field(0, ge=0, description="Seed of first weights and windows.")

    @model_validator(mode="after")
    def _whole_cells(self) -> SeriesTrainConfig:
        if self.crop % self.f:
            raise ValueError(f"crop is {self.crop}, which f = {self.f} does not divide. Give a multiple of f")
        return self


@dataclass(frozen=True)
class Lines:
    """All channels of a dataset's series as lines of their own: normalised `[L, t]`, and how many values each has."""

    values: Float[Tensor, "l t"]
    lengths: Int[Tensor, " l"]

    def take(self, index: Tensor) -> Lines:
        return Lines(self.values[index], self.lengths[index])


def lines(of: TrainingSet) -> Lines:
    """Raises: SpecError where the signals are no series."""
    spec = of.signal
    if len(spec.extent) != 1:
        raise SpecError(f"autoencoder1d is trained on series (c, t); signals of {of.name!r} have shape {spec.shape}.")
    x = spec.normalise(of.train.signals)
    lengths = x[:, -1].sum(1).long() if spec.mask else torch.full((len(x),), spec.extent[0])
    x = x[:, :-1] if spec.mask else x
    return Lines(x.flatten(0, 1), lengths.repeat_interleave(x.shape[1]))


def windows(of: Lines, n: int, config: SeriesTrainConfig, draw: Generator) -> Float[Tensor, "n 1 crop"]:
    """Windows anywhere in random lines, all at one drawn scale; short lines repeat their last value.

    The scale is uniform in its logarithm, from 1 to `zoom` or as far as the longest line goes. Gain and sign vary.
    """
    longest = max(config.crop, min(int(of.lengths.max()), int(config.crop * config.zoom)))
    piece = round(config.crop * exp(torch.rand((), generator=draw).item() * log(longest / config.crop)))
    index = torch.randint(len(of.values), (n,), generator=draw)
    length = of.lengths[index]
    start = (torch.rand(n, generator=draw) * (length - piece + 1).clamp(min=1)).long()
    at = torch.minimum(start[:, None] + torch.arange(piece), length[:, None] - 1)
    x = F.interpolate(of.values[index[:, None], at][:, None], config.crop, mode="area")
    gain = torch.exp(torch.rand(n, 1, 1, generator=draw) - 0.5)
    sign = torch.randint(2, (n, 1, 1), generator=draw) * 2 - 1
    return x * gain * sign


@dataclass
class State:
    """A training before step `step`."""

    model: SeriesAutoencoder
    optimiser: AdamW
    step: int = 0


class SeriesTraining:
    """Gives a codec class the training of the series autoencoder (`ddbench.interfaces.codec_training.Trainable`)."""

    TrainConfig: ClassVar[type[SeriesTrainConfig]] = SeriesTrainConfig

    @classmethod
    def train(cls, config: SeriesTrainConfig, sets: Sequence[TrainingSet], work: Work, into: Path) -> Trained:
        """Fits the autoencoder and writes it as the codec loads it."""
        key = digest([VERSION, config.model_dump(mode="json"), [[s.name, s.revision] for s in sets]])
        parts = [_split(lines(of), of) for of in sets]
        began = time.monotonic()
        state = _resumed(work, key, config)
        loss = fit(state, [train for train, _ in parts], config, work, key)
        model = state.model.cpu()
        write_atomic(into / CONFIG, json.dumps(model.described, indent=1) + "\n")
        write_atomic(into / f"{STEM}.safetensors", save(storable(dict(model.named_parameters()))))
        record: dict[str, Any] = config.model_dump(mode="json") | {"loss": round(loss, 7)}
        errors = [error(model, held, config) for _, held in parts]
        record["validation_mse"] = {s.name: round(e, 5) for s, (e, _) in zip(sets, errors)}
        record["validation_mse_of_linear_resize"] = {s.name: round(e, 5) for s, (_, e) in zip(sets, errors)}
        record["parameters"] = sum(p.numel() for p in model.parameters())
        return Trained({}, record | {"seconds": round(time.monotonic() - began, 1)})


def fit(state: State, sets: Sequence[Lines], config: SeriesTrainConfig, work: Work, key: str) -> float:
    """Trains to the last step; gives the last loss. Raises: Divergence where the loss stops being finite."""
    saved, value = time.monotonic(), float("nan")
    while state.step < config.steps:
        draw = rng.generator("series codec training", seed=config.seed, step=state.step)
        of = sets[int(torch.randint(len(sets), (), generator=draw))]
        x = windows(of, config.batch, config, draw).to(work.device)
        for group in state.optimiser.param_groups:
            group["lr"] = config.lr * 0.5 * (1 + cos(pi * state.step / config.steps))
        loss = F.mse_loss(state.model.decode(state.model.encode(x)), x)
        value = loss.item()
        if value != value or value == float("inf"):
            raise Divergence(f"The loss was {value} at step {state.step}. Lower lr (it is {config.lr}).")
        state.optimiser.zero_grad()
        loss.backward()
        state.optimiser.step()
        state.step += 1
        if state.step % -(-config.steps // TOLD) == 0:
            work.tell(f"step {state.step}/{config.steps}: loss {value:.5f}")
        if time.monotonic() - saved >= work.checkpoint_s:
            _keep(state, work.checkpoint, key)
            saved = time.monotonic()
    return value


def error(model: SeriesAutoencoder, held: Lines, config: SeriesTrainConfig) -> tuple[float, float]:
    """Mean squared error on held-out windows, of the autoencoder and of the linear resize it began as."""
    x = windows(held, CHECKED, config, rng.generator("series codec validation"))
    start = SeriesAutoencoder(model.f, 1, 1)
    with torch.no_grad():
        return tuple(float(F.mse_loss(m.decode(m.encode(x)), x)) for m in (model, start))  # pyright: ignore[reportReturnType]


def _split(of: Lines, named: TrainingSet) -> tuple[Lines, Lines]:
    """(trained on, held out), the same whatever the seed."""
    draw = rng.generator("codec training held out", name=named.name, revision=named.revision)
    order, held = torch.randperm(len(of.values), generator=draw), max(1, round(len(of.values) * HELD_OUT))
    if len(order) <= held:
        raise SpecError(f"{named.name!r} has {len(order)} lines of values; to train and to validate it takes two.")
    return of.take(order[held:]), of.take(order[:held])


def _first(config: SeriesTrainConfig, work: Work) -> State:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.seed("codec training weights", seed=config.seed))
        model = SeriesAutoencoder(config.f, config.channels, config.width)
    model.to(work.device)
    return State(model, AdamW(model.parameters(), lr=config.lr, betas=(0.9, 0.99), weight_decay=1e-4))


def _keep(state: State, path: Path, key: str) -> None:
    tensors = {}
    for name, p in state.model.named_parameters():
        tensors |= {f"weights/{name}": p} | {f"{m}/{name}": state.optimiser.state[p][m] for m in MOMENTS}
    write_sealed(path, key, tensors, {"step": state.step})


def _resumed(work: Work, key: str, config: SeriesTrainConfig) -> State:
    """The state that an interrupted training left, else the first."""
    state = _first(config, work)
    try:
        found = read_sealed(work.checkpoint, key, of="training")
        if found is None:
            return state
        tensors, note = found
        with torch.no_grad():
            for name, p in state.model.named_parameters():
                p.copy_(tensors[f"weights/{name}"])
                moments = {m: tensors[f"{m}/{name}"] for m in MOMENTS}
                state.optimiser.state[p] = moments | {m: moments[m].to(p) for m in MOMENTS[:2]}
        state.step = int(note["step"])
    except (ArtifactError, KeyError, RuntimeError, TypeError, ValueError) as fault:
        work.tell(f"{fault} Training starts anew.")
        return _first(config, work)
    work.tell(f"Going on from step {state.step} of {config.steps}.")
    return state
