"""A match task made of given tensors, and DM's loss as loops over classes and images in float64."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from ddbench import registry
from ddbench.augment import apply, draw
from ddbench.interfaces.network import Classifier, fresh


@dataclass
class GivenTask:
    """`MatchTask` whose real values, items and network are what it was given. Notes what the network embeds."""

    x_real: Tensor
    x_synthetic: Tensor
    psi: Classifier
    strategy: str = ""
    step: int = 0
    batches: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        embed = self.psi.embed
        self.psi.embed = lambda x: (self.batches.append(len(x)), embed(x))[1]

    @property
    def n_classes(self) -> int:
        return len(self.x_real)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.x_real.shape[2:])

    def real(self, size: int) -> Tensor:
        return self.x_real[:, :size]

    def synthetic(self) -> Tensor:
        return self.x_synthetic

    def extra(self, name: str) -> Tensor:
        raise KeyError(name)

    def network(self, name: str = "match") -> Classifier:
        return self.psi

    def augment(self, *batches: Tensor) -> tuple[Tensor, ...]:
        omega = draw(self.strategy, self.shape, self.n_classes, self.generator("augment"), per_row_op=True)
        return tuple(apply(omega, x) for x in batches)

    def generator(self, name: str) -> Generator:
        return Generator().manual_seed(5)


def network(shape: tuple[int, ...], n_classes: int, norm: str = "instance", seed: int = 0) -> Classifier:
    """A small float64 network."""
    plugin = registry.build("network", "auto", {"width": 6, "norm": norm})
    return fresh(plugin, shape, n_classes, seed, "cpu").double()


def values(shape: tuple[int, ...], n_classes: int, n: int, seed: int) -> Tensor:
    """Float64 values [K, n, *shape], another mean for every class."""
    x = torch.randn(n_classes, n, *shape, generator=Generator().manual_seed(seed), dtype=torch.float64)
    return x + torch.arange(n_classes).double().reshape(-1, *(1,) * (x.dim() - 1))


def slow_loss(psi: Classifier, real: Tensor, synthetic: Tensor) -> Tensor:
    """Σ_c ‖mean ψ(real of c) − mean ψ(items of c)‖², class by class, image by image, feature by feature."""
    total = torch.zeros((), dtype=torch.float64)
    for of_class, items in zip(real, synthetic):
        means = []
        for batch in (of_class, items):
            running = 0.0
            for x in batch:
                running = running + psi.embed(x[None]).flatten()
            means.append(running / len(batch))
        for a, b in zip(*means):
            total = total + (a - b) ** 2
    return total


def assert_near(found: Tensor, expected: Tensor, rtol: float, atol: float = 0.0) -> None:
    """As torch.testing.assert_close, whose first call imports torch.distributed: seconds."""
    worst = float((found - expected).detach().abs().max())
    assert torch.allclose(found, expected, rtol=rtol, atol=atol), f"off by up to {worst:.3g}: {found} and {expected}"
