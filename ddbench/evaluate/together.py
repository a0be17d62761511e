"""Whether students of one architecture are trained together, as one batched computation, or one after another."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.func import functional_call, vmap

from ddbench.interfaces.network import Classifier

Together = Literal["auto"] | bool

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def faster(model: nn.Module, device: torch.device) -> bool:
    """Whether training together pays, by measurement.

    On an accelerator one small student leaves most of the device idle, and students share the cost of starting kernels.
    On a CPU this holds for layers that are matrix products; several students' convolutions become one grouped
    convolution, which reaches only 0.5 to 0.9 times the speed of convolving one by one.
    """
    return device.type != "cpu" or not any(isinstance(m, CONVOLUTIONS) for m in model.modules())


def possible(model: Classifier, shape: tuple[int, ...], batch: int) -> bool:
    """Whether the model can be batched over students: no running statistics, no randomness of its own, and it fits."""
    if any(True for _ in model.buffers()):
        return False
    parameters = {name: p.detach()[None] for name, p in model.named_parameters()}
    first = next(model.parameters())
    try:
        forward = vmap(lambda p, x: functional_call(model, p, (x,)), randomness="error")
        forward(parameters, torch.zeros(1, batch, *shape, dtype=first.dtype, device=first.device))
    except Exception:  # noqa: BLE001  (whatever the architecture meets: in each case students are trained one by one)
        return False
    return True


def decide(together: Together, model: Classifier, students: int, shape: tuple[int, ...], batch: int) -> bool:
    """True for together. A wish (`True`) is granted where it is possible."""
    wanted = faster(model, next(model.parameters()).device) if together == "auto" else together
    return wanted and students > 1 and possible(model, shape, batch)
