"""The student's N steps: which values each takes, under which augmentation, fixed so that a step can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from ddbench.interfaces.method import Augment, MatchTask
from ddbench.interfaces.parts import GRAPH, in_parts, part_in_training
from ddbench_methods.mtt_student import FlatNetwork, noise

_SEEDS = 2**62


@dataclass(frozen=True)
class Step:
    """One step of the student: rows of the synthetic values, their augmentation, a seed for the network's noise."""

    rows: Int[Tensor, " b"]
    augment: Augment
    seed: int

    def loss(self, student: FlatNetwork, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """CE(A(x); θ) of the step's own rows `x`, `y`, in one pass."""
        with noise(self.seed, x.device):
            return student.loss(theta, self.augment(x), y)

    def parts(self, student: FlatNetwork, seen: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Augmented values and labels by parts that bound the memory, each with its share of the mean loss."""
        size = part_in_training(student.model, seen.shape[1:], len(seen), GRAPH)
        return in_parts(seen, y, size)


def draw_steps(task: MatchTask, items: int, count: int, batch: int | None, device: torch.device) -> list[Step]:
    """`count` steps; every draw comes from the streams of the task's update."""
    stream = task.generator("student")
    seeds = torch.randint(_SEEDS, (count,), generator=stream).tolist()
    batch = min(batch or items, items)
    chunks, augmentations = chunks_of(items, batch, stream), task.augmentations(batch)
    return [Step(rows.to(device), augment, seed) for seed, rows, augment in zip(seeds, chunks, augmentations)]


def chunks_of(items: int, batch: int, generator: Generator) -> Iterator[Int[Tensor, " b"]]:
    """Consecutive chunks of random permutations without end; the last chunk of a permutation may be smaller."""
    while True:
        yield from torch.randperm(items, generator=generator).split(batch)
