"""Training of a KL autoencoder for `ddbench codec train`: the loop, and what is written at its end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager
from math import cos, isfinite, log10, pi
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.nn.utils import clip_grad_norm_

from ddbench import rng
from ddbench.canonical import digest
from ddbench.errors import Divergence, RunError
from ddbench.interfaces.codec_training import Trained, TrainingSet, Work
from ddbench_codecs.kl_config import KlTrainConfig
from ddbench_codecs.kl_loss import distance, reconstruct, training_loss
from ddbench_codecs.kl_state import Best, State, resumed, write_state
from ddbench_codecs.kl_windows import Batches, pictures

VERSION = "1"
"""Changes whenever the same arguments would give other weights."""
LONGEST_GRADIENT = 1.0
RANGE = (-1.0, 1.0)


class KlTraining:
    """Gives a codec class the training of diffusers' AutoencoderKL (`ddbench.interfaces.codec_training.Trainable`)."""

    TrainConfig: ClassVar[type[KlTrainConfig]] = KlTrainConfig

    @classmethod
    def train(cls, config: KlTrainConfig, sets: Sequence[TrainingSet], work: Work, into: Path) -> Trained:
        """Fits an autoencoder and writes it as `AutoencoderKL.from_pretrained` loads it."""
        batches = Batches(tuple(pictures(s, config) for s in sets), config)
        key = digest([VERSION, config.model_dump(mode="json"), [[s.name, s.revision] for s in sets]])
        state, said = resumed(work.checkpoint, key, config, work.device)
        if said:
            work.tell(said)
        fit(state, batches, config, work, key)
        with torch.no_grad():
            for name, parameter in state.parameters.items():
                parameter.copy_(state.best.weights[name])
        model: Any = state.model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
        stored = torch.float16 if config.weights == "float16" else torch.float32
        _cast(model, stored)
        _cast(model, torch.float32)  # what is measured is what the file holds
        held_out = batches.held_out()
        mean, std = code_statistics(model, held_out, work.device)
        loss, psnr = validate(model, held_out, config, work.device)
        model.register_to_config(latents_mean=mean, latents_std=std)
        _cast(model.cpu(), stored)
        _save(model, into)
        record: dict[str, Any] = {"steps": state.step, "best_step": state.best.step, "batch": config.batch}
        record |= {"lr": config.lr, "seed": config.seed, "loss": round(state.loss, 7)}
        record |= {"validation_loss": round(loss, 7)}
        record |= {"validation_psnr_db": {s.name: round(p, 2) for s, p in zip(sets, psnr)}}
        record |= {"parameters": sum(p.numel() for p in state.parameters.values()), "seconds": round(state.seconds, 1)}
        return Trained({"range": list(RANGE)}, record)


def fit(state: State, batches: Batches, config: KlTrainConfig, work: Work, key: str) -> None:
    """Trains until the steps are done or validation has stopped gaining; the best weights stand in `state.best`.

    Raises: Divergence where the loss stops being finite.
    """
    held_out = batches.held_out()
    every = -(-config.steps // config.checks)
    before, began = state.seconds, time.monotonic()
    saved, first = began, state.step
    while state.step < config.steps and state.waited < config.patience:
        _step(state, batches, config, work.device)
        if state.step % every == 0 or state.step == config.steps:
            state.loss, state.sum = state.sum / (state.step % every or every), 0.0
            with _averaged(state):
                loss, psnr = validate(state.model, held_out, config, work.device)
            _finite(loss, "validation loss", state, config)
            state.waited += 1
            if loss < state.best.loss:
                state.best = Best(state.step, loss, {n: t.clone() for n, t in state.average.items()})
                state.waited = 0
            state.seconds = before + time.monotonic() - began
            left = (state.seconds - before) / (state.step - first) * (config.steps - state.step)
            work.tell(
                f"step {state.step}/{config.steps}: loss {state.loss:.5f}, validation {loss:.5f} "
                f"({', '.join(f'{p:.1f}' for p in psnr)} dB), {state.seconds:.0f} s, at most {left:.0f} s left"
            )
        if time.monotonic() - saved >= work.checkpoint_s:
            state.seconds = before + time.monotonic() - began
            write_state(work.checkpoint, state, key)
            saved = time.monotonic()
    if state.step < config.steps:
        work.tell(f"Stopped at step {state.step}: no gain since step {state.best.step}.")


def learning_rate(step: int, config: KlTrainConfig) -> float:
    """Of step 0, 1, …: a line up to `lr` over the warm-up, then half a cosine down to 0."""
    warm = config.warmup * config.steps
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    return config.lr * 0.5 * (1 + cos(pi * (step - warm) / (config.steps - warm)))


def validate(
    model: Any, held_out: Sequence[Tensor], config: KlTrainConfig, device: torch.device
) -> tuple[float, list[float]]:
    """(mean distance over the datasets, PSNR of each in dB) of held-out windows and what their mean codes decode to."""
    losses, psnr = [], []
    for x in held_out:
        seen = reconstruct(model, x.to(device)).cpu()
        losses.append(distance(x, seen, config.loss, config.edges).item())
        psnr.append(decibels(x, seen))
    return sum(losses) / len(losses), psnr


def code_statistics(model: Any, held_out: Sequence[Tensor], device: torch.device) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of the held-out windows' mean codes, to six digits.

    Whoever loads the weights brings codes to about unit variance by them.
    """
    with torch.no_grad():
        codes = torch.cat([model.encode(x.to(device)).latent_dist.mean for x in held_out]).double().cpu()
    values = codes.transpose(0, 1).flatten(1)
    mean, std = values.mean(1), values.std(1, correction=0)
    return [float(f"{v:.6g}") for v in mean], [float(f"{v:.6g}") for v in std]


def decibels(x: Tensor, seen: Tensor) -> float:
    """Peak signal-to-noise ratio of pictures in [−1, 1], over all values at once; 99 where they are equal."""
    error = mse_loss(seen.clamp(*RANGE).double(), x.double()).item() / (RANGE[1] - RANGE[0]) ** 2
    return min(-10 * log10(error), 99.0) if error else 99.0


def _step(state: State, batches: Batches, config: KlTrainConfig, device: torch.device) -> None:
    draw = rng.generator("codec training step", seed=config.seed, step=state.step)
    x = batches.at(draw).to(device, memory_format=torch.channels_last)
    side = config.crop // config.f
    noise = torch.randn(len(x), config.channels, side, side, generator=draw).to(device)
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(state.step, config)
    loss = training_loss(state.model, x, noise, config)
    state.optimiser.zero_grad()
    loss.backward()
    clip_grad_norm_(state.model.parameters(), LONGEST_GRADIENT)
    value = loss.item()
    _finite(value, "loss", state, config)
    state.optimiser.step()
    state.step += 1
    state.sum += value
    # Early on the mean would be of the first weights mostly; it reaches back a tenth of the steps at most.
    decay = min(config.average, state.step / (state.step + 10))
    with torch.no_grad():
        for name, parameter in state.parameters.items():
            state.average[name].lerp_(parameter, 1 - decay)


def _finite(value: float, what: str, state: State, config: KlTrainConfig) -> None:
    if not isfinite(value):
        raise Divergence(
            f"The {what} was {value} at step {state.step}. Lower lr (it is {config.lr}) or kl, or raise warmup."
        )


@contextmanager
def _averaged(state: State):
    """The model with its running mean of weights."""
    now = {n: p.detach().clone() for n, p in state.parameters.items()}
    with torch.no_grad():
        for name, parameter in state.parameters.items():
            parameter.copy_(state.average[name])
        try:
            yield
        finally:
            for name, parameter in state.parameters.items():
                parameter.copy_(now[name])


def _cast(model: Any, dtype: torch.dtype) -> None:
    """All weights to one type; diffusers' own `to` warns of models whose parts must not be."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def _save(model: Any, into: Path) -> None:
    try:
        model.save_pretrained(into)
        for file in into.glob("*.safetensors"):
            shutil.copymode(into / "config.json", file)  # safetensors' own files are their maker's alone to read
    except (OSError, RuntimeError) as error:  # safetensors reports a full disk as an error of its own
        raise RunError(f"The weights could not be written to {into}: {error}. Make room, then run it again.") from error
