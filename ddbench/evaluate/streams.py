"""The random streams of students: initial weights, batch order, augmentation, each by its own coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from ddbench import rng
from ddbench.evaluate.schedule import Schedule


@dataclass(frozen=True)
class StudentStreams:
    """Where the randomness of the students of one network comes from.

    Students of equal dataset, seed, index and network start from the same weights whatever codec and method made their
    set, so that paired tests are valid.
    """

    dataset: str
    revision: str
    seed: int
    network: str

    def init(self, student: int) -> int:
        """Seed of the initial weights."""
        return rng.seed("student-init", **self._at(student))

    def noise(self, student: int) -> int:
        """Seed of what a network draws itself while it is trained (dropout)."""
        return rng.seed("student-noise", **self._at(student))

    def order(
        self, student: int, schedule: Schedule, device: str | torch.device = "cpu"
    ) -> Iterator[Int[Tensor, " b"]]:
        """Indices of every update of a schedule, drawn on the CPU and moved."""
        draw = rng.generator("student-order", wraps=schedule.wraps, **self._at(student))
        return batches(schedule, draw, device)

    def augment(self, student: int) -> Generator:
        """Generator of the augmentation's draws."""
        return rng.generator("student-augment", **self._at(student))

    def _at(self, student: int) -> dict[str, object]:
        return {
            "dataset": self.dataset,
            "revision": self.revision,
            "seed": self.seed,
            "student": student,
            "network": self.network,
        }


def batches(
    schedule: Schedule, generator: Generator, device: str | torch.device = "cpu"
) -> Iterator[Int[Tensor, " b"]]:
    """Consecutive chunks of permutations, redrawn when they are used up: exactly `schedule.steps` of them."""
    pool = torch.empty(0, dtype=torch.long, device=device)
    for _ in range(schedule.steps):
        if len(pool) == 0 or (schedule.wraps and len(pool) < schedule.batch):
            pool = torch.cat([pool, torch.randperm(schedule.epoch_items, generator=generator).to(device)])
        yield pool[: schedule.batch]
        pool = pool[schedule.batch :]
