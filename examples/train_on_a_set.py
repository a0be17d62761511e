"""Train a network of your own on a distilled set, as its students are: `python train_on_a_set.py`."""

import torch
import torch.nn.functional as F
from torch import nn

import ddbench
from ddbench import registry
from ddbench.artifact import load

results = ddbench.run("smoke", out="runs/smoke", engine="inline", only="downsample × dm", progress=False)
(result,) = results
stored = load(results.folder / "cells" / result.key[:16])
signals, labels = stored.decode()  # normalised, as students see them
print(f"{stored.card.dataset}: {len(labels)} signals of {tuple(signals.shape[1:])} in {stored.used_bytes:,} bytes")

torch.manual_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(signals[0].numel(), 64), nn.ReLU(), nn.Linear(64, stored.card.n_classes))
optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for _ in range(100):
    optimiser.zero_grad()
    F.cross_entropy(net(signals), labels).backward()
    optimiser.step()

_, test = registry.build("dataset", stored.card.dataset).load()
with torch.no_grad():
    found = net(stored.card.signal.normalise(test.signals)).argmax(1)
print(f"test accuracy: {100 * (found == test.labels).float().mean():.1f} %")
