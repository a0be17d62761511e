"""`ddbench doctor`: what is installed, what is missing, which devices there are. Changes nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import click

from ddbench import registry
from ddbench.errors import DdbenchError
from ddbench.version import __version__

BROKEN = 3
LEAST_FREE_BYTES = 2_000_000_000
OLDEST = (3, 11)
MARKS = {"ok": "ok   ", "note": "–    ", "bad": "WRONG"}


@dataclass
class Findings:
    """Lines of a section; `bad` ones say that ddbench cannot work as it should."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def ok(self, text: str) -> None:
        self.lines.append(("ok", text))

    def note(self, text: str) -> None:
        self.lines.append(("note", text))

    def bad(self, text: str) -> None:
        self.lines.append(("bad", text))


@click.command(epilog="\b\nExample:\n  ddbench doctor")
def doctor() -> None:
    """Check Python, packages, devices, plug-ins, data and disk. Exit code 3 where something essential is broken."""
    sections: dict[str, Callable[[Findings], None]] = {
        "Python": _python,
        "Packages": _packages,
        "Devices": _devices,
        "Plug-ins": _plugins,
        "Data": _data,
        "Folders": _folders,
    }
    broken = 0
    for title, look in sections.items():
        found = Findings()
        look(found)
        click.echo(f"{title}:")
        for mark, text in found.lines:
            broken += mark == "bad"
            click.echo(f"  {MARKS[mark]} {text}")
    if broken:
        click.echo(f"\n{broken} of these must be mended before ddbench works as it should.")
        raise click.exceptions.Exit(BROKEN)
    click.echo("\nAll that ddbench needs is here.")


def _python(found: Findings) -> None:
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    (found.ok if sys.version_info >= OLDEST else found.bad)(text)
    found.ok(f"ddbench {__version__}")


def _packages(found: Findings) -> None:
    """What the distribution requires, by metadata alone; nothing is imported."""
    try:
        needed = [r for r in requires("ddbench") or [] if "extra ==" not in r]
    except PackageNotFoundError:
        found.bad("ddbench itself is not installed, so its plug-ins are not found: `pip install -e .` in its folder")
        return
    for requirement in sorted(needed):
        name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]
        try:
            found.ok(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.bad(f"{name} is missing: `pip install '{requirement}'`")


def _devices(found: Findings) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found.ok(f"CPU, {cores} cores")
    try:
        import torch
    except Exception as error:  # noqa: BLE001  (a broken installation fails in many ways)
        found.bad(f"torch cannot be imported: {type(error).__name__}: {error}")
        return
    if not torch.cuda.is_available():
        found.note("no CUDA device; everything runs on the CPU")
        return
    for i in range(torch.cuda.device_count()):
        traits = torch.cuda.get_device_properties(i)
        found.ok(f"cuda:{i} {traits.name}, {traits.total_memory / 2**30:.0f} GiB")


def _plugins(found: Findings) -> None:
    for kind in registry.KINDS:
        names = registry.names(kind)
        loaded = 0
        for name in names:
            try:
                registry.load(kind, name)
                loaded += 1
            except DdbenchError as error:
                found.bad(str(error))
        (found.ok if loaded else found.bad)(f"{loaded} of {len(names)} {kind}s load")


def _data(found: Findings) -> None:
    from ddbench.datasets.locations import DOWNLOAD_VARIABLE

    os.environ[DOWNLOAD_VARIABLE] = "0"  # to look is not to fetch
    for name in registry.names("dataset"):
        try:
            dataset = registry.build("dataset", name)
            train, test = dataset.load()
            found.ok(f"{name}: {len(train)} training and {len(test)} test signals")
        except DdbenchError as error:
            found.note(f"{name} is not here: {' '.join(str(error).split())}")
        except Exception as error:  # noqa: BLE001  (datasets are other people's code)
            found.bad(f"{name} cannot be loaded: {type(error).__name__}: {error}")


def _folders(found: Findings) -> None:
    from ddbench.datasets.locations import DATA_VARIABLE, data_root

    root = data_root()
    there = "" if root.is_dir() else " (not there yet)"
    found.ok(f"data: {root}{there}, from {DATA_VARIABLE}" if DATA_VARIABLE in os.environ else f"data: {root}{there}")
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    writable = os.access(here, os.W_OK)
    text = f"{free / 1e9:.1f} GB free in the present folder" + ("" if writable else ", which is not writable")
    (found.ok if writable and free >= LEAST_FREE_BYTES else found.note)(text)
