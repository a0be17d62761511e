"""Experts: networks trained on the real data of the match space, with their weights after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.func import vmap
from torch.nn.functional import cross_entropy

from ddbench.errors import ArtifactError, Divergence
from ddbench.evaluate.together import possible
from ddbench.interfaces.codec import Tensors
from ddbench.interfaces.method import Augment, PrepareTask
from ddbench.interfaces.parts import in_parts, part_in_training
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_student import FlatNetwork, noise

TRAINING = "1"
"""Changes whenever the same arguments would give other experts."""
TOGETHER = 10
"""Experts trained as one batched computation on an accelerator, which one small network leaves mostly idle."""
REPORT_EVERY = 16
"""Updates between two reports."""


def expert_weights(task: PrepareTask, config: MttConfig, final: bool = False) -> Float[Tensor, "e t p"]:
    """Weights of every expert, at first and after each epoch that a start or a target can be, on the CPU.

    With `final` one row more, the weights after the expert's last epoch.

    Raises: Divergence where an expert's weights stop being finite; ArtifactError that names the file where the cache
    holds another network's, or numbers that are none.
    """
    size = FlatNetwork(task.network(0)).size
    epochs, kept = config.expert_epochs_total + 1, config.max_start + config.expert_epochs
    weights = torch.empty(config.experts, kept + final, size, dtype=getattr(torch, config.expert_dtype))
    done = 0

    def train(which: list[int]) -> list[Tensors]:
        def tell(fraction: float) -> None:
            task.progress((done + fraction * len(which)) / config.experts)

        return [{"weights": w} for w in train_experts(task, config, which, tell)]

    coordinates = [expert_coordinates(config, e) for e in range(config.experts)]
    for e, found in task.kept("experts", coordinates, train, group_size(task, config)):
        trajectory = found["weights"]
        if fault := _fault(trajectory, weights.dtype, (epochs, size)):
            file = task.kept_at("experts", coordinates[e])
            raise ArtifactError(f"Expert {e} {fault}. Delete the file {file}; the next run trains that expert anew.")
        weights[e, :kept] = trajectory[:kept]
        if final:
            weights[e, kept] = trajectory[-1]
        done += 1
        task.progress(done / config.experts)
    return weights


def _fault(trajectory: Tensor, dtype: torch.dtype, shape: tuple[int, int]) -> str:
    """What is wrong with an expert; '' where it is sound."""
    if tuple(trajectory.shape) != shape:
        return (
            f"has the shape {tuple(trajectory.shape)}; this network's experts have {shape} (epochs, weights): the "
            "network was changed and its version was not"
        )
    if trajectory.dtype != dtype:
        return f"is stored as {trajectory.dtype}; {dtype} was asked for"
    return "" if bool(trajectory.isfinite().all()) else "holds weights that are not finite"


def expert_entries(config: MttConfig, weights: int) -> list[tuple[dict[str, Any], int]]:
    """(coordinates, bytes) of every expert of a network with so many weights."""
    row_bytes = weights * getattr(torch, config.expert_dtype).itemsize
    size_bytes = (config.expert_epochs_total + 1) * row_bytes
    return [(expert_coordinates(config, e), size_bytes) for e in range(config.experts)]


def expert_coordinates(config: MttConfig, expert: int) -> dict[str, Any]:
    """What determines an expert besides the match space: not what its trajectory is used for."""
    return {
        "training": TRAINING,
        "epochs": config.expert_epochs_total,
        "lr": config.expert_lr,
        "batch": config.expert_batch,
        "dtype": config.expert_dtype,
        "seed": config.expert_seed,
        "expert": expert,
    }


def group_size(task: PrepareTask, config: MttConfig) -> int:
    """How many experts are trained together: on a CPU, batched convolutions are slower than one by one."""
    if task.device.type == "cpu" or not possible(task.network(0), task.shape, config.expert_batch):
        return 1
    return min(TOGETHER, config.experts)


def train_experts(
    task: PrepareTask, config: MttConfig, which: list[int], tell: Callable[[float], None]
) -> list[Float[Tensor, "t p"]]:
    """Trajectories θ*_0 … θ*_T of some experts, trained together where there are several.

    Plain SGD on the mean cross-entropy, each epoch in a new order, its last batch as small as it comes.
    """
    seeds = [expert_seed(task, config, e, "weights") for e in which]
    networks = [FlatNetwork(task.network(seed)) for seed in seeds]
    theta = torch.stack([network.weights() for network in networks])
    trajectories = torch.empty(len(which), config.expert_epochs_total + 1, theta.shape[1])
    trajectories = trajectories.to(getattr(torch, config.expert_dtype))
    trajectories[:, 0] = theta
    n, batch = len(task.labels), min(config.expert_batch, len(task.labels))
    orders = [Generator().manual_seed(expert_seed(task, config, e, "order")) for e in which]
    draws = [Generator().manual_seed(expert_seed(task, config, e, "augment")) for e in which]
    augmentations = [task.augmentations(batch, draw) for draw in draws]
    steps_an_epoch = -(-n // batch)
    step = 0
    for epoch in range(1, config.expert_epochs_total + 1):
        order = torch.stack([torch.randperm(n, generator=order) for order in orders]).to(task.device)
        for rows in order.split(batch, dim=1):
            with noise(expert_seed(task, config, which[0], "noise", step=step), task.device):
                g = gradients(task, networks[0], theta, rows, [next(a) for a in augmentations])
            theta = theta - config.expert_lr * g
            step += 1
            if step % REPORT_EVERY == 0:
                tell(step / (steps_an_epoch * config.expert_epochs_total))
        trajectories[:, epoch] = theta
        # as they are kept: float16 ends at 65504
        _check(trajectories[:, epoch], which, epoch, config)
    return list(trajectories)


def expert_seed(task: PrepareTask, config: MttConfig, expert: int, name: str, **more: int) -> int:
    return task.seed(f"expert-{name}", seed=config.expert_seed, expert=expert, **more)


def gradients(
    task: PrepareTask,
    network: FlatNetwork,
    theta: Float[Tensor, "e p"],
    rows: Int[Tensor, "e b"],
    augment: list[Augment],
) -> Float[Tensor, "e p"]:
    """∇_θ of each expert's mean cross-entropy on its own real items under its own augmentation."""
    x, y = torch.stack([a(task.real(r)) for a, r in zip(augment, rows)]), task.labels[rows]
    size = part_in_training(network.model, task.shape, rows.shape[1], networks=len(theta))
    total = torch.zeros_like(theta)
    for part, of_part, share in in_parts(x, y, size, dim=1):
        leaf = theta.detach().requires_grad_()
        if len(theta) == 1:
            loss = network.loss(leaf[0], part[0], of_part[0]) * share
        else:
            logits = vmap(network, randomness="error")(leaf, part)
            ce = cross_entropy(logits.flatten(0, 1), of_part.flatten(), reduction="sum")
            # Experts do not touch each other, so the gradient of the sum holds each one's own.
            loss = ce / rows.shape[1]
        total += torch.autograd.grad(loss, leaf)[0]
    return total


def _check(theta: Float[Tensor, "e p"], which: list[int], epoch: int, config: MttConfig) -> None:
    lost = [e for e, ok in zip(which, theta.isfinite().all(1).tolist()) if not ok]
    if lost:
        raise Divergence(
            f"The weights of expert {lost[0]} stopped being finite in epoch {epoch} of {config.expert_epochs_total}, "
            f"kept as {config.expert_dtype}. Lower expert_lr, which is {config.expert_lr}."
        )
