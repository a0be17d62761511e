"""One side of one case in this process: seconds of each unit of work, peak memory above what it began with."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from case import CLASSES, Case
from plain.net import ConvNet
from sides import make
from torch import Tensor, nn

from ddbench.run.phases import peak_memory_bytes, reset_peak_memory

MATMUL = 4096
MATMUL_CPU = 1024


def measure(side: str, case: Case, warm: int, repeats: int, peak: bool = False) -> dict[str, Any]:
    """Wall and processor seconds of each repeat; `peak`: also operations, and those a second of matrix products."""
    on_gpu = case.device != "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = case.precision == "tf32"
    cast = torch.autocast(torch.device(case.device).type, torch.bfloat16) if case.precision == "bf16" else nullcontext()
    with cast:
        work = make(side, case)
        base = resident_bytes()
        reset_peak_memory()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
            base = torch.cuda.memory_allocated()
        wall, cpu = [], []
        for i in range(warm + repeats):
            start, spent = time.perf_counter(), time.process_time()
            work()
            if on_gpu:
                torch.cuda.synchronize()
            if i >= warm:
                wall.append(time.perf_counter() - start)
                cpu.append(time.process_time() - spent)
        most = torch.cuda.max_memory_allocated() if on_gpu else peak_memory_bytes()
        found: dict[str, Any] = {"wall_s": wall, "cpu_s": cpu, "above_base_bytes": most - base}
        if peak:
            found["flop"] = dm_flop(case)
            found["matmul_flop_s"] = matmul_flop_s(case.device)
    if on_gpu:
        found["device"] = torch.cuda.get_device_name()
    return found


def dm_flop(case: Case) -> int:
    """Operations of a DM iteration's convolutions: real items forwards, synthetic ones also back to the pixels."""
    net, count = ConvNet(case.shape, CLASSES, case.width), 0

    def note(layer: nn.Module, _: object, y: Tensor) -> None:
        nonlocal count
        assert isinstance(layer, nn.Conv2d)
        count += 2 * y.numel() * layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]

    for layer in net.features:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    with torch.no_grad():
        net.embed(torch.zeros(1, *case.shape))
    return CLASSES * (case.real_batch + 2 * case.n) * count


def matmul_flop_s(device: str) -> float:
    """The best of some products of square matrices, in operations a second."""
    n = MATMUL_CPU if device == "cpu" else MATMUL
    a, b = torch.randn(n, n, device=device), torch.randn(n, n, device=device)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        torch.mm(a, b)
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def resident_bytes() -> int:
    """Memory of this process now, where the system tells (Linux); elsewhere its peak so far."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024
    except (OSError, StopIteration):
        return peak_memory_bytes()


def main() -> None:
    order = json.loads(sys.argv[1])
    torch.set_num_threads(order.pop("threads"))
    order["case"] = Case(**order["case"])
    print(json.dumps(measure(**order)))


if __name__ == "__main__":
    main()
