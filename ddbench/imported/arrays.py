"""Reading `.npz` and `.safetensors` files that nobody vouches for: nothing in them is executed, sizes are bounded."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from ddbench.errors import ArtifactError, did_you_mean
from ddbench.imported.given import MOST_BYTES, Arrays

SIGNALS = ("x", "images", "data", "signals", "image")
LABELS = ("y", "labels", "label", "targets")
SOFT = ("soft_labels", "y_soft")
RATE = ("lr", "syn_lr")
BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, RuntimeError, NotImplementedError, MemoryError)
"""What zipfile, zlib and numpy raise for files that are none of theirs, damaged, encrypted or packed unusually."""


@dataclass(frozen=True)
class Names:
    """What the arrays of a file are called, where the user says so."""

    signals: str | None = None
    labels: str | None = None


def read_npz(path: Path, names: Names) -> Arrays:
    """Raises: ArtifactError naming file and fault."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive)
            wanted = chosen(path, members, names)
            found = {name: _array(path, archive, members[name]) for name in wanted.values() if name}
    except zipfile.BadZipFile as error:
        raise ArtifactError(f"{path} is not an .npz file, or was cut short: {error}.") from error
    except BROKEN as error:
        raise ArtifactError(f"{path} cannot be read: {error}.") from error
    return arrays_of(path, found, wanted)


def read_safetensors(path: Path, names: Names) -> Arrays:
    """Raises: ArtifactError naming file and fault."""
    check_size(path)
    try:
        tensors = load_tensors(path.read_bytes())
    except (SafetensorError, *BROKEN) as error:
        raise ArtifactError(f"{path} is not a safetensors file, or was cut short: {error}.") from error
    return arrays_of(path, tensors, chosen(path, tensors, names))


def check_size(path: Path) -> None:
    """Raises: ArtifactError for a file that is missing or too large to be a distilled set."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}.") from error
    if size > MOST_BYTES:
        raise ArtifactError(f"{path} has {size:,} bytes; a distilled set here has {MOST_BYTES:,} at most.")


def check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises: ArtifactError for names that lead out of the archive, and for contents that unpack to too much."""
    for info in archive.infolist():
        if hostile(info.filename):
            raise ArtifactError(f"{path} holds {info.filename!r}, a path that leads out of it. Nothing was read.")
    if (total := sum(info.file_size for info in archive.infolist())) > MOST_BYTES:
        raise ArtifactError(f"{path} unpacks to {total:,} bytes; a distilled set here has {MOST_BYTES:,} at most.")


def hostile(name: str) -> bool:
    """Whether a path of an archive is absolute or climbs."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    check_archive(path, archive)
    infos = [i for i in archive.infolist() if i.filename.endswith(".npy")]
    names = [i.filename for i in infos]
    if twice := {n for n in names if names.count(n) > 1}:
        raise ArtifactError(f"{path} holds {min(twice)!r} twice.")
    return {i.filename.removesuffix(".npy"): i for i in infos}


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Tensor:
    where = f"{path}: {info.filename.removesuffix('.npy')!r}"
    with archive.open(info) as file:
        shape, _, dtype = _header(file)
    if dtype.hasobject:
        raise ArtifactError(f"{where} holds pickled Python objects, which are not loaded: save it as numbers.")
    if prod(shape) * dtype.itemsize > info.file_size:
        raise ArtifactError(f"{where} says that it has shape {shape}, more than the file holds: it was cut short.")
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(np.ascontiguousarray(array).reshape(shape))
    except TypeError as error:
        raise ArtifactError(f"{where} is of type {dtype}; numbers are needed.") from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def chosen(path: Path, held: Collection[str], names: Names) -> dict[str, str | None]:
    """Names of signals, labels, soft labels and step size in a file. Raises: ArtifactError where one is not there."""
    found: dict[str, str | None] = {}
    faults = []
    for what, asked, usual in (("signals", names.signals, SIGNALS), ("labels", names.labels, LABELS)):
        name = asked if asked is not None else next((n for n in usual if n in held), None)
        if name is None or name not in held:
            tried = repr(asked) if asked is not None else "of the usual " + ", ".join(usual)
            hint = (
                did_you_mean(asked, held) if asked is not None else f"It holds {', '.join(sorted(held)) or 'nothing'}."
            )
            faults.append(f"no {what} {tried}: {hint} Name them with --{what}")
        found[what] = name
    if (faults and not any(n in held for n in SOFT)) or (faults and found["signals"] not in held):
        raise ArtifactError(f"{path} has {'; '.join(faults)}.")
    found["soft"] = next((n for n in SOFT if n in held), None) if names.labels is None else None
    found["rate"] = next((n for n in RATE if n in held), None)
    return found


def arrays_of(path: Path, held: Mapping[str, Tensor], wanted: Mapping[str, str | None]) -> Arrays:
    def at(what: str) -> Tensor | None:
        name = wanted[what]
        return None if name is None else held[name]

    x, y, soft = at("signals"), at("labels"), at("soft")
    assert x is not None, "a file without signals was refused"
    if y is None:
        assert soft is not None, "a file without any labels was refused"
        y, soft = soft, None
    return Arrays(x, y, soft, rate_of(path, at("rate")))


def rate_of(path: Path, value: Tensor | float | None) -> float | None:
    """A learned step size. Raises: ArtifactError where it is not one number."""
    if isinstance(value, Tensor):
        if value.numel() != 1 or value.is_complex():
            raise ArtifactError(f"{path}: the learned step size has shape {tuple(value.shape)}; one number is needed.")
        return float(value)
    return value
