"""Whether students of one architecture are trained together, as one batched computation, or one after another."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.func import functional_call, vmap

from ddbench.interfaces.network import Classifier

Together = Literal["auto"] | bool

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
FEW_WEIGHTS = 50_000
MANY_STUDENTS = 10


def faster(model: nn.Module, students: int, device: torch.device) -> bool:
    """Whether training together pays.

    On an accelerator one small student leaves most of the device idle, and students share the cost of starting kernels.
    On a CPU, measured on one core, several students' convolutions become one grouped convolution, which reaches 0.5 to
    0.9 times the speed of convolving one by one; matrix products of 5 students reach 0.7 to 1.0 times, and only where
    Python takes most of the time (small networks, many students) does batching win, 1.1 to 1.6 times.
    """
    if device.type != "cpu":
        return True
    convolves = any(isinstance(m, CONVOLUTIONS) for m in model.modules())
    small = sum(p.numel() for p in model.parameters()) <= FEW_WEIGHTS
    return not convolves and small and students >= MANY_STUDENTS


def possible(model: Classifier, shape: tuple[int, ...], batch: int) -> bool:
    """Whether the model can be batched over students: no running statistics, no randomness of its own, and it fits."""
    if any(True for _ in model.buffers()):
        return False
    parameters = {name: p.detach()[None] for name, p in model.named_parameters()}
    first = next(model.parameters())
    try:
        forward = vmap(lambda p, x: functional_call(model, p, (x,)), randomness="error")
        forward(parameters, torch.zeros(1, min(batch, 2), *shape, dtype=first.dtype, device=first.device))
    except Exception:  # noqa: BLE001  (whatever the architecture meets: in each case students are trained one by one)
        return False
    return True


def decide(together: Together, model: Classifier, students: int, shape: tuple[int, ...], batch: int) -> bool:
    """True for together. A wish (`True`) is granted where it is possible."""
    wanted = faster(model, students, next(model.parameters()).device) if together == "auto" else together
    return wanted and students > 1 and possible(model, shape, batch)
