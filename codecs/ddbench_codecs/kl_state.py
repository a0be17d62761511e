"""All that a training of an autoencoder has come to: weights, their running mean, AdamW's moments, the best so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import AdamW

from ddbench import rng
from ddbench.errors import ArtifactError
from ddbench.sealed import not_a_checkpoint, read_sealed, write_sealed
from ddbench_codecs.kl_config import KlTrainConfig, network

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Best:
    """The running mean with the lowest validation loss so far."""

    step: int = 0
    loss: float = float("inf")
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class State:
    """A training before step `step`."""

    model: AutoencoderKL
    optimiser: AdamW
    average: dict[str, Tensor]
    best: Best = field(default_factory=Best)
    step: int = 0
    waited: int = 0
    """Validations since the best one."""
    loss: float = 0.0
    """Mean training loss since the last validation, once there was one."""
    sum: float = 0.0
    """Training losses since the last validation, summed."""
    seconds: float = 0.0

    @property
    def parameters(self) -> dict[str, Tensor]:
        return dict(self.model.named_parameters())


def first(config: KlTrainConfig, device: torch.device) -> State:
    """The state before the first step: weights drawn from the seed, whatever torch's global generator was at."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.seed("codec training weights", seed=config.seed))
        model = network(config)
    model.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = AdamW(model.parameters(), lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True)
    return State(model, optimiser, {n: p.detach().clone() for n, p in model.named_parameters()})


def write_state(path: Path, state: State, key: str) -> None:
    """Replaces the checkpoint. Raises: RunError where it cannot be written."""
    tensors = {f"average/{n}": t for n, t in state.average.items()}
    tensors |= {f"best/{n}": t for n, t in state.best.weights.items()}
    for name, parameter in state.parameters.items():
        tensors[f"weights/{name}"] = parameter
        tensors |= {f"{m}/{name}": state.optimiser.state[parameter][m] for m in MOMENTS}
    numbers = {n: getattr(state, n) for n in ("step", "waited", "loss", "sum", "seconds")}
    best = {"best_step": state.best.step, "best_loss": state.best.loss if state.best.weights else None}
    write_sealed(path, key, tensors, numbers | best)


def read_state(path: Path, key: str, config: KlTrainConfig, device: torch.device) -> State | None:
    """The state that an interrupted training left, None where there is none.

    Raises: ArtifactError where the file is damaged or of another training.
    """
    found = read_sealed(path, key, of="training")
    if found is None:
        return None
    tensors, note = found
    state = first(config, device)
    try:
        with torch.no_grad():
            for name, parameter in state.parameters.items():
                parameter.copy_(tensors[f"weights/{name}"])
                state.average[name].copy_(tensors[f"average/{name}"])
                moments = {m: tensors[f"{m}/{name}"].to(device) for m in MOMENTS}
                for m in ("exp_avg", "exp_avg_sq"):
                    moments[m] = torch.empty_like(parameter).copy_(moments[m])
                state.optimiser.state[parameter] = moments
        weights = {n.removeprefix("best/"): t.to(device) for n, t in tensors.items() if n.startswith("best/")}
        if weights:
            state.best = Best(int(note["best_step"]), float(note["best_loss"]), weights)
        state.step, state.waited = int(note["step"]), int(note["waited"])
        state.loss, state.sum, state.seconds = (float(note[n]) for n in ("loss", "sum", "seconds"))
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise not_a_checkpoint(path, error) from error
    return state


def resumed(path: Path, key: str, config: KlTrainConfig, device: torch.device) -> tuple[State, str]:
    """The state to go on with, and a line that says which it is."""
    try:
        state = read_state(path, key, config, device)
    except ArtifactError as error:
        return first(config, device), f"{error} Training starts anew."
    if state is None:
        return first(config, device), ""
    return state, f"Going on from step {state.step} of {config.steps}."
