"""Networks trained one after another and tested, in the shape of the published loops (protocols.md §1.3, §5.1)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from plain.net import each


def train(
    net: nn.Module, x: Tensor, y: Tensor, epochs: int, batch: int, lr: float, strategy: str, seed: int,
    momentum: float = 0.0, weight_decay: float = 0.0,
) -> float:  # fmt: skip
    """Trains in place; gives the mean loss of the last epoch. The step rule drops the rate at half the epochs."""
    optimiser = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay)
    draws = Generator().manual_seed(seed)
    loader = DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True, generator=draws)
    criterion, total, right = nn.CrossEntropyLoss(), 0.0, 0
    net.train()
    for _ in range(epochs):
        total, right = 0.0, 0
        for images, labels in loader:
            images = each(strategy, draws, images) if strategy else images
            logits = net(images)
            loss = criterion(logits, labels)
            right += int((logits.argmax(1) == labels).sum())
            total += loss.item() * len(labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return total / len(x)


def test(net: nn.Module, x: Tensor, y: Tensor, batch: int) -> Tensor:
    """Which items are right."""
    net.eval()
    found = []
    with torch.no_grad():
        for images, labels in DataLoader(TensorDataset(x, y), batch_size=batch):
            logits = net(images)
            nn.functional.cross_entropy(logits, labels).item()
            found.append(logits.argmax(1) == labels)
    return torch.cat(found)
