"""Where and with what a result was made."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ddbench import registry
from ddbench.result.schema import Provenance
from ddbench.spec.cell import Cell
from ddbench.version import __version__

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow", "timm", "diffusers", "datasets")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(cell: Cell, device: torch.device, started: str) -> Provenance:
    return provenance_with(origins(cell), device, started)


def provenance_with(plugins: dict[str, str], device: torch.device, started: str) -> Provenance:
    """Where and with what something was made that used these plug-ins, each with the package that provides it."""
    commit, dirty = git_state()
    gpu = device.type == "cuda"
    return Provenance(
        ddbench=__version__,
        python=platform.python_version(),
        packages={p: v for p in PACKAGES if (v := _installed(p))},
        git_commit=commit,
        git_dirty=dirty,
        plugins=plugins,
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        device=torch.cuda.get_device_name(device) if gpu else "cpu",
        driver=gpu_driver() if gpu else None,
        threads=torch.get_num_threads(),
        started=started,
        finished=now(),
    )


def origins(cell: Cell) -> dict[str, str]:
    """The package that provided each plug-in of the cell."""
    chosen: Sequence[tuple[registry.Kind, str]] = [
        ("dataset", cell.dataset.name),
        ("codec", cell.codec.name),
        ("method", cell.method.name),
        ("network", cell.network.name),
        *(("network", n.name) for n in cell.protocol.networks),
    ]
    return {f"{kind} {name}": registry.origin(registry.entry(kind, name)) for kind, name in chosen}


@cache
def git_state() -> tuple[str | None, bool | None]:
    """(commit, dirty) of the checkout that ddbench runs from; None, None where it is installed without one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, None

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit, status = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return commit, None if status is None else bool(status)


@cache
def gpu_driver() -> str | None:
    """Version of the NVIDIA driver, None where it does not tell."""
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split("\n")[0].strip() or None


@cache
def processor() -> str:
    """The processor's model and cores."""
    model = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{model or 'unknown'}, {os.cpu_count()} cores"


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
