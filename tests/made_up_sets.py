"""Sets made of any leaves, and files read and forged without the code under test."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors
from torch import Generator, Tensor

from ddbench.artifact.card import Card
from ddbench.artifact.distilled import leaf_cards
from ddbench.interfaces.codec import Codes, Ragged
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf, Storage
from ddbench.spec.cell import Choice

SIGNAL = SignalSpec((1, 4, 4), (0.5,), (0.25,))


def card_for(leaves: list[Leaf], counts: tuple[int, ...], storage: Storage = "float32", **changes: Any) -> Card:
    fields: dict[str, Any] = {
        "dataset": "made_up", "revision": "1", "class_names": tuple("abcdefgh"[: len(counts)]), "signal": SIGNAL,
        "codec": Choice(name="made_up"), "codec_version": "1", "storage": storage, "cap_bytes": 10**6,
        "counts": counts, "leaves": leaf_cards(leaves), "seed": 0, "sha256": "",
    }  # fmt: skip
    return Card(**{**fields, **changes})


def some_codes(leaves: list[Leaf], counts: tuple[int, ...], draw: Generator) -> Codes:
    """Random values of every leaf in its type in memory; byte strings of 0 to 20 bytes."""
    codes: Codes = {}
    for leaf in leaves:
        if leaf.shape is None:
            lengths = torch.randint(0, 21, (sum(counts),), generator=draw).tolist()
            codes[leaf.name] = Ragged.of([bytes(torch.randint(0, 256, (n,), generator=draw).tolist()) for n in lengths])
            continue
        rows = {"item": (sum(counts),), "class": (len(counts),), "set": ()}[leaf.scope]
        dtype = getattr(torch, leaf.dtype)
        value = torch.randn((*rows, *leaf.shape), generator=draw, dtype=torch.float64)
        codes[leaf.name] = value.to(dtype) if dtype.is_floating_point else (value.abs() * 3).to(dtype)
    return codes


def sizes_on_disk(file: Path) -> dict[str, int]:
    """Bytes of each tensor by the header of a safetensors file, read by hand."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    sizes = {name: entry["data_offsets"][1] - entry["data_offsets"][0] for name, entry in header.items()}
    assert sum(sizes.values()) == len(data) - start
    return sizes


def forge(folder: Path, tensors: dict[str, Tensor] | bytes | None = None, **card: Any) -> Path:
    """Other tensors under the card in a folder, or another card, with a digest that agrees."""
    file, beside = folder / "distilled.safetensors", folder / "distilled.json"
    if tensors is not None:
        file.write_bytes(
            tensors if isinstance(tensors, bytes) else to_safetensors({n: t.clone() for n, t in tensors.items()})
        )
    raw = json.loads(beside.read_text()) | card
    raw["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    beside.write_text(json.dumps(raw))
    return folder
