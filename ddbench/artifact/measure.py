"""A distilled set measured as it lies on disk: card, digest, bytes by tensor, values. torch-free; nothing is decoded.

`ddbench.artifact.load` checks the same and more, and needs torch. Here a leaderboard of thousands of sets is measured
without holding any in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.artifact.card import Card, read_card
from ddbench.artifact.header import Stored, read_header
from ddbench.artifact.layout import CARD, TENSORS, leaf_of, misfit, side_bytes, tensors_of
from ddbench.errors import ArtifactError
from ddbench.leaf import FLOATS

CHUNK = 2**22


@dataclass(frozen=True)
class Measured:
    """What a set's files hold."""

    card: Card
    sha256: str
    """Of the tensor file as it is."""
    parts: dict[str, int]
    """Bytes of each tensor."""
    faults: tuple[str, ...]
    """Where file and card do not agree, or values are none."""

    @property
    def used_bytes(self) -> int:
        return sum(self.parts.values())

    @property
    def side_bytes(self) -> int:
        return side_bytes(self.card, self.parts.items())


def measure(folder: Path) -> Measured:
    """The set in a folder. Raises: ArtifactError where the card or the tensor file cannot be read at all."""
    card, file = read_card(folder / CARD), folder / TENSORS
    if not file.is_file():
        raise ArtifactError(f"{file} is {'no file' if file.exists() else 'missing'}.")
    size, sha256 = file.stat().st_size, _digest(file)
    stored = read_header(file, size)
    faults = [] if sha256 == card.sha256 else [f"{file} does not have the digest that its card names."]
    faults += [f"{file} {fault}." for fault in _misfits(card, stored)]
    if not faults:
        faults += [f"{file} {fault}." for fault in _values(file, card, stored)]
    return Measured(card, sha256, {name: t.n_bytes for name, t in sorted(stored.items())}, tuple(faults))


def _digest(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror or error}.") from error


def _misfits(card: Card, stored: dict[str, Stored]) -> Iterator[str]:
    wanted = {p: what for x in card.leaves for p, what in tensors_of(card, leaf_of(x), x.coded).items()}
    for part, what in wanted.items():
        found = stored.get(part)
        if fault := misfit(part, what, None if found is None else (found.dtype, found.shape)):
            yield fault
    if unknown := sorted(set(stored) - set(wanted)):
        yield f"holds tensors that its card does not name: {', '.join(name[:80] for name in unknown)}"


def _values(file: Path, card: Card, stored: dict[str, Stored]) -> Iterator[str]:
    """Floats have to be finite, and offsets have to cut their bytes."""
    for name, tensor in stored.items():
        if tensor.dtype in FLOATS and not all(_finite(chunk, tensor.dtype) for chunk in _chunks(file, tensor)):
            yield f"holds values in {name!r} that are not finite"
    for leaf in map(leaf_of, card.leaves):
        if leaf.shape is None and not _cuts(file, stored, f"{leaf.scope}/{leaf.name}"):
            yield f"holds offsets of '{leaf.scope}/{leaf.name}' that do not cut its bytes"


def _chunks(file: Path, tensor: Stored) -> Iterator[bytes]:
    with open(file, "rb") as opened:
        opened.seek(tensor.start)
        left = tensor.n_bytes
        while left:
            chunk = opened.read(min(CHUNK, left))
            if not chunk:
                raise ArtifactError(f"{file} was cut short while it was read.")
            left -= len(chunk)
            yield chunk


def _finite(chunk: bytes, dtype: str) -> bool:
    import numpy as np

    if dtype == "bfloat16":  # the upper half of a float32: not finite where all eight bits of the exponent are set
        return bool(((np.frombuffer(chunk, "<u2") & 0x7F80) != 0x7F80).all())
    kinds: dict[str, Any] = {"float64": "<f8", "float32": "<f4", "float16": "<f2"}
    return bool(np.isfinite(np.frombuffer(chunk, kinds[dtype])).all())


def _cuts(file: Path, stored: dict[str, Stored], name: str) -> bool:
    import numpy as np

    offsets = np.frombuffer(b"".join(_chunks(file, stored[f"{name}.offsets"])), "<i4").astype(np.int64)
    return offsets[0] == 0 and offsets[-1] == stored[f"{name}.values"].n_bytes and bool((np.diff(offsets) >= 0).all())
