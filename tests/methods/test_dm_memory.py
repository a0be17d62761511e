"""DM at the published batch of 256 real pictures a class: memory that its chunks bound, also at 256 pixels on a GPU."""

from __future__ import annotations

import pytest
import torch
from ddbench_methods.dm import DistributionMatching, DmConfig
from on_devices import GPU, peak_bytes
from slow_match import GivenTask

from ddbench import registry
from ddbench.interfaces.network import fresh
from ddbench.interfaces.parts import part_of

K, REAL = 2, 256
STRATEGY = "color_crop_cutout_flip_scale_rotate"
CPU_BYTES = 48 * 2**20
"""At 32 × 32 and width 32. All 512 real pictures at once have 64 MiB for each output of the first layer."""
GPU_BYTES = 24 * 2**30
"""At 256 × 256 and width 128: chunks of 64 pictures have 2 GiB for such an output; 512 at once, 16 GiB."""


@pytest.mark.parametrize(
    ("device", "size", "width", "most_bytes"),
    [("cpu", 32, 32, CPU_BYTES), pytest.param("cuda", 256, 128, GPU_BYTES, marks=GPU)],
    ids=["cpu", "cuda"],
)
def test_memory_of_an_update_is_that_of_a_chunk(device: str, size: int, width: int, most_bytes: int) -> None:
    shape, at = (3, size, size), torch.device(device)
    network = registry.build("network", "auto", {"width": width})
    psi = fresh(network, shape, K, 0, at).requires_grad_(False)
    real = torch.randn(K, REAL, *shape, device=at)
    items = torch.randn(K, 1, *shape, device=at, requires_grad=True)
    task = GivenTask(real, items, psi, STRATEGY)
    matcher = DistributionMatching(DmConfig.model_validate({"real_batch": REAL}))

    def update() -> None:
        matcher.loss(task, {}).backward()

    peak = peak_bytes(update, device)
    assert items.grad is not None
    assert bool(items.grad.isfinite().all())
    chunk = part_of(at, shape)
    assert max(task.batches) == min(chunk, K * REAL)
    print(f"DM at {size} pixels, width {width}: {peak / 2**20:.0f} MiB")
    assert peak < most_bytes
