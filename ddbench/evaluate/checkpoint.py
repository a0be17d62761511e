"""Checkpoints of students in training: what their next update depends on, where it is kept, how it is put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class State:
    """Students before update `step`."""

    of: str
    """Which students of which recipe: a state is put back into no others."""
    step: int
    tensors: Mapping[str, Tensor]


class Checkpoint(Protocol):
    """A place for the state of the students that are being trained: one at a time."""

    def load(self) -> State | None:
        """The state that an interrupted run left, None where there is none of use."""
        ...

    def due(self) -> bool:
        """Whether it is time to save. Asked after every update."""
        ...

    def save(self, state: State) -> None:
        """Replaces the state. Its tensors are live: they change with the next update."""
        ...

    def drop(self) -> None:
        """Told when the students are trained, tested and recorded: the state is of no more use."""
        ...


class Nowhere:
    """The checkpoint that keeps nothing."""

    def load(self) -> State | None:
        return None

    def due(self) -> bool:
        return False

    def save(self, state: State) -> None:
        pass

    def drop(self) -> None:
        pass


@dataclass(frozen=True)
class Holder:
    """The live tensors of a training: a state is gathered from them and copied back into them."""

    of: str
    live: Callable[[], dict[str, Tensor]]
    noise: torch.device | None = None
    """Device of networks that draw numbers themselves (dropout), from generators which then belong to the state."""

    def state(self, step: int) -> State:
        return State(self.of, step, self.live() | ({} if self.noise is None else _generators(self.noise)))

    def put_back(self, state: State | None) -> int:
        """The update to go on with: 0, and nothing is changed, where the state is of other students or devices."""
        if state is None or state.of != self.of:
            return 0
        if _forms(self.state(0).tensors) != _forms(state.tensors):
            return 0
        with torch.no_grad():
            for name, tensor in self.live().items():
                tensor.copy_(state.tensors[name])
        if self.noise is not None:
            _set_generators(self.noise, state.tensors)
        return state.step


def buffers_of(models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Running statistics and whatever else models keep beside their parameters."""
    return {f"buffers/{i}/{name}": buffer for i, model in enumerate(models) for name, buffer in model.named_buffers()}


def _forms(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _generators(device: torch.device) -> dict[str, Tensor]:
    states = {"noise/cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["noise/cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set_generators(device: torch.device, states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["noise/cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["noise/cuda"], device)
