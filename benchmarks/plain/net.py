"""ConvNet-D of PyTorch's layers; the augmentation, which both sides share, applied class by class or a sample each."""

from __future__ import annotations

from math import log2

import torch
from torch import Generator, Tensor, nn

from ddbench.augment import apply, draw


class ConvNet(nn.Module):
    """D blocks of [conv 3 → group norm, one channel a group → ReLU → average pooling], then one linear layer."""

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int) -> None:
        super().__init__()
        channels, side = shape[0], shape[1]
        depth = max(1, round(log2(side / 4)))
        padding = 1 + max(0, (4 * 2**depth - side + 1) // 2)
        layers: list[nn.Module] = []
        for block in range(depth):
            layers.append(nn.Conv2d(channels if block == 0 else width, width, 3, padding=padding if block == 0 else 1))
            layers += [nn.GroupNorm(width, width), nn.ReLU(inplace=True), nn.AvgPool2d(2, 2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width * 16, classes)

    def embed(self, x: Tensor) -> Tensor:
        out = self.features(x)
        return out.view(out.size(0), -1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.embed(x))


def siamese(strategy: str, seed: int, *batches: Tensor) -> tuple[Tensor, ...]:
    """One draw for all items of one class's batches."""
    omega = draw(strategy, tuple(batches[0].shape[1:]), 1, Generator().manual_seed(seed), per_row_op=True)
    return tuple(apply(omega, x[None])[0] for x in batches)


def each(strategy: str, generator: Generator, x: Tensor) -> Tensor:
    """One operation a batch, its parameters a sample."""
    omega = draw(strategy, tuple(x.shape[1:]), len(x), generator, per_row_op=False)
    return apply(omega, x[:, None])[:, 0]


def like(model: nn.Module, shape: tuple[int, int, int], classes: int, width: int) -> ConvNet:
    """The plain network with the weights of ddbench's: parameters stand in the same order."""
    net = ConvNet(shape, classes, width).to(next(model.parameters()))
    with torch.no_grad():
        for mine, theirs in zip(net.parameters(), model.parameters(), strict=True):
            mine.copy_(theirs)
    return net
