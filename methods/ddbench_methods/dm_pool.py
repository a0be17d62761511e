"""DM's variant with a pool: networks and augmentation draws fixed beforehand, with the real class means under them.

An entry of the pool is one network ψ and one draw ω for each class, as an update of DM has them; its means are those
of all real items of a class, not of a batch. The items meet the same ω as the real ones did (Siamese). So an update's
expectation is DM's own but for the finite number of pairs (ψ, ω), and its real side has no sampling noise.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ddbench.interfaces.codec import Tensors
from ddbench.interfaces.method import MatchTask, PrepareTask
from ddbench.interfaces.network import Classifier
from ddbench.interfaces.parts import part_of
from ddbench.interfaces.room import Room
from ddbench_methods.mtt_student import noise

ENTRY = "1"
"""Changes whenever the same pool would hold other values."""


def pool_entries(task: PrepareTask, pool: int) -> Tensors:
    """Of each entry: the network's `weights`, the seeds of the classes' `draws`, the real `means`; from the cache."""
    coordinates = [entry_coordinates(i) for i in range(pool)]
    found: dict[int, Tensors] = {}
    for i, tensors in task.kept("dm-pool", coordinates, lambda which: [entry(task, j) for j in which]):
        found[i] = tensors
        task.progress(len(found) / pool)
    return {name: torch.stack([found[i][name] for i in range(pool)]) for name in found[0]}


def entry_coordinates(index: int) -> dict[str, Any]:
    return {"entry": index, "version": ENTRY}


def pool_sizes(pool: int, room: Room) -> list[tuple[dict[str, Any], int]]:
    """(coordinates, bytes) of every entry: float32 weights and means, an int64 seed a class."""
    size_bytes = 4 * (room.network.weights + room.n_classes * room.network.embedding) + 8 * room.n_classes
    return [(entry_coordinates(i), size_bytes) for i in range(pool)]


def entry(task: PrepareTask, index: int) -> Tensors:
    """One network, one draw a class, and the means of all real items of the classes."""
    psi = task.network(task.seed("dm-pool-network", entry=index)).requires_grad_(False)
    seeds = [task.seed("dm-pool-draw", entry=index, label=k) for k in range(task.n_classes)]
    with noise(task.seed("dm-pool-noise", entry=index), task.device), torch.no_grad():
        means = torch.stack([class_mean(task, psi, k, seed) for k, seed in enumerate(seeds)])
    weights = parameters_to_vector(psi.parameters())
    return {"weights": weights.cpu(), "draws": torch.tensor(seeds), "means": means.cpu()}


def class_mean(task: PrepareTask, psi: Classifier, k: int, seed: int) -> Float[Tensor, " d"]:
    """mean ψ(A_ω(x)) over all real items x of class k, ω drawn by `seed`."""
    members = (task.labels == k).nonzero().flatten()
    total: Tensor | float = 0.0
    for part in members.split(part_of(task.device, task.shape)):
        (x,) = task.augment(task.real(part)[None], by=Generator().manual_seed(seed))
        total = total + psi.embed(x[0]).flatten(1).double().sum(0)
    return (torch.as_tensor(total) / len(members)).to(next(psi.parameters()))


def draw_entry(task: MatchTask) -> tuple[Classifier, Float[Tensor, "k d"], Float[Tensor, "k n *shape"]]:
    """(network, real means, items under the same draws) of an entry drawn for this update."""
    pool, synthetic = task.prepared, task.synthetic()
    i = int(torch.randint(len(pool["means"]), (1,), generator=task.generator("pool")))
    psi = task.network().requires_grad_(False)
    vector_to_parameters(pool["weights"][i].to(synthetic), psi.parameters())
    draws = [Generator().manual_seed(seed) for seed in pool["draws"][i].tolist()]
    items = [task.augment(s[None], by=draw)[0][0] for s, draw in zip(synthetic, draws, strict=True)]
    return psi, pool["means"][i].to(synthetic), torch.stack(items)
